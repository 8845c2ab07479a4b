import type { Writable } from 'node:stream';
import { collectDefaultMetrics, Registry } from 'prom-client';
import winston from 'winston';
import { logContext } from './log-context.ts';
import { redact } from './redact.ts';
import { registerTracing, traceId } from './tracing.ts';

export type Logger = winston.Logger;

/** The key under which winston's transports find the text of a line: https://github.com/winstonjs/triple-beam */
const MESSAGE = Symbol.for('message');

/** The logs, metrics and traces of one service. */
export type Telemetry = {
  /** The service's name, included in every log line and as the label `service` of every metric. */
  service: string;
  logger: Logger;
  metrics: Registry;
  /** Resolves once all log lines written so far have been flushed. */
  shutdown(): Promise<void>;
};

/**
 * Creates a logger that writes one JSON object per line, with the service, the fields of the current work (`withLogContext`) and the trace id, and
 * without secrets. `stream` (default stdout) is for tests. One process may contain several telemetries; each has its own registry.
 */
export function createTelemetry(options: { service: string; level?: string; stream?: Writable }): Telemetry {
  registerTracing();
  const { service } = options;
  const line = winston.format((info) => {
    const { level, message, ...fields } = info;
    const head = { timestamp: new Date().toISOString(), level, service, message: redact(message) };
    // redact has made a copy without cycles, bigints or deep nesting, so plain JSON.stringify is sufficient, and much faster
    info[MESSAGE] = JSON.stringify({ ...head, ...(redact(fields) as object), ...logContext(), trace_id: traceId() });
    return info;
  });
  const logger = winston.createLogger({
    level: options.level ?? 'info',
    format: line(),
    transports: [
      options.stream === undefined
        ? new winston.transports.Console()
        : new winston.transports.Stream({ stream: options.stream }),
    ],
  });
  const metrics = new Registry();
  metrics.setDefaultLabels({ service });
  collectDefaultMetrics({ register: metrics });
  return {
    service,
    logger,
    metrics,
    shutdown: async () => {
      const finished = new Promise<void>((resolve) => logger.once('finish', () => resolve()));
      logger.end();
      await finished;
    },
  };
}
