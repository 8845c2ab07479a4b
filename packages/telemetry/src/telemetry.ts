import type { Writable } from 'node:stream';
import { collectDefaultMetrics, Registry } from 'prom-client';
import winston from 'winston';
import { logContext } from './log-context.ts';
import { redact } from './redact.ts';
import { registerTracing, traceId } from './tracing.ts';

export type Logger = winston.Logger;

/** Where winston's transports look for the text of a line: https://github.com/winstonjs/triple-beam */
const MESSAGE = Symbol.for('message');

/** The logs, metrics and traces of one service. */
export type Telemetry = {
  /** The service's name, in every log line and as the label `service` of every metric. */
  service: string;
  logger: Logger;
  metrics: Registry;
  /** Resolves once the log lines written so far have left the process. */
  shutdown(): Promise<void>;
};

/**
 * One JSON object a line, with the service, the fields of the running work (`withLogContext`), the trace id, and without secrets.
 * `stream` (default stdout) is for tests. Several telemetries may live in one process; each has its own registry.
 */
export function createTelemetry(options: { service: string; level?: string; stream?: Writable }): Telemetry {
  registerTracing();
  const { service } = options;
  const line = winston.format((info) => {
    const { level, message, ...fields } = info;
    const head = { timestamp: new Date().toISOString(), level, service, message: redact(message) };
    // redact has made a copy without cycles, bigints or depth: the plain JSON of the language is enough, and much faster
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
