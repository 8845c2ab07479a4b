import { reportNothing } from './error-reports/report.ts';
import type { SentrySettings } from './error-reports/sentry.ts';
import { createTelemetry, type Telemetry } from './telemetry.ts';
import type { TraceSettings } from './traces/settings.ts';

export type OpenTelemetryOptions = {
  service: string;
  release: string;
  level: string;
  /** Without it, no spans are recorded, and OpenTelemetry's SDK is not loaded. */
  traces: TraceSettings | undefined;
  /** Without it, no errors are reported, and Sentry's SDK is not loaded. */
  sentry: SentrySettings | undefined;
};

/** Creates the telemetry of a service's process, which also sends traces and error reports if they are configured. */
export async function openTelemetry({ traces, sentry, ...options }: OpenTelemetryOptions): Promise<Telemetry> {
  const telemetry = createTelemetry(options);
  const tracing = traces && (await import('./traces/export-traces.ts')).exportTraces(telemetry, traces);
  const reports = sentry && (await import('./error-reports/sentry.ts')).createSentryReports(telemetry, sentry);
  return {
    ...telemetry,
    reportError: reports?.report ?? reportNothing,
    async shutdown() {
      await Promise.all([tracing?.(), reports?.stop()]);
      await telemetry.shutdown();
    },
  };
}
