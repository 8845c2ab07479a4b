import { createTelemetry, type Telemetry } from '@taskwire/telemetry';

/** Telemetry of a benchmark's own process: only errors are printed, to stderr, because an error means that the figures are wrong. */
export function benchTelemetry(): Telemetry {
  return createTelemetry({ service: 'bench', level: 'error', stream: process.stderr });
}
