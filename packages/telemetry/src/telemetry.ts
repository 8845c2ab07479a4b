import type { Writable } from 'node:stream';
import { collectDefaultMetrics, Registry } from 'prom-client';
import winston from 'winston';
import { reportNothing, type ReportError } from './error-reports/report.ts';
import { logContext } from './log-context.ts';
import { createLogOutput } from './log-output.ts';
import { redact } from './redact.ts';
import { registerTracing, traceId } from './tracing.ts';

export type Logger = winston.Logger;

/** Levels whose lines are never held back. */
const urgent: ReadonlySet<string> = new Set(['error', 'warn']);

/** The logs, metrics and traces of one service. */
export type Telemetry = {
  /** The service's name, included in every log line and as the label `service` of every metric. */
  service: string;
  /** The release of the process, such as `0.2.0`. */
  release: string;
  logger: Logger;
  metrics: Registry;
  reportError: ReportError;
  /** Resolves once spans, error reports and log lines have been sent, or could not be sent within two seconds. */
  shutdown(): Promise<void>;
};

type Entry = Record<string, unknown>;

/** Adds the fields of the current work that the line doesn't have itself. An undefined field counts as absent. */
function withContext(entry: Entry): Entry {
  const context: Entry = logContext();
  for (const name of Object.keys(context)) if (entry[name] === undefined) entry[name] = context[name];
  entry['trace_id'] ??= traceId();
  return entry;
}

/**
 * Creates a logger that writes one JSON object per line, with the service, the fields of the current work (`withLogContext`) and the trace id, and
 * without secrets. A field of the line itself takes precedence: during the work for one user, a line may be about another one. One process may contain
 * several telemetries; each has its own registry.
 *
 * Errors and warnings are written at once, after all lines before them. Other lines are written in batches, up to 10 ms later, and at the end of the
 * process; only a kill loses them. `stream` is for tests and commands, and gets every line at once; the default is stdout.
 */
export function createTelemetry(options: {
  service: string;
  release?: string;
  level?: string;
  stream?: Writable;
}): Telemetry {
  registerTracing();
  const { service, release = 'unknown' } = options;
  const output = createLogOutput(options.stream ?? process.stdout);
  const isBatched = options.stream === undefined;
  const logger = winston.createLogger({ level: options.level ?? 'info' });

  // all of winston's methods end here. Its streams (a transform, a pipe, a transport) would cost more than formatting the line
  logger.write = (info: winston.Logform.TransformableInfo): boolean => {
    const { level, message, ...fields } = info;
    if (!logger.isLevelEnabled(level)) return true;
    const head = { timestamp: new Date().toISOString(), level, service, message: redact(message) };
    const entry = withContext({ ...head, ...(redact(fields) as Entry) });
    // redact has made a copy without cycles, bigints or deep nesting, so plain JSON.stringify is sufficient, and much faster
    const line = JSON.stringify(entry);
    if (isBatched && !urgent.has(level)) output.batch(line);
    else output.write(line);
    return true;
  };

  const metrics = new Registry();
  metrics.setDefaultLabels({ service });
  collectDefaultMetrics({ register: metrics });
  return {
    service,
    release,
    logger,
    metrics,
    reportError: reportNothing,
    shutdown: output.flushed,
  };
}
