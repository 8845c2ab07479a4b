import { createTransport, NodeClient, Scope } from '@sentry/node';
import { Counter } from 'prom-client';
import { Agent, request } from 'undici';
import { logContext } from '../log-context.ts';
import type { Telemetry } from '../telemetry.ts';
import { traceId } from '../tracing.ts';
import { describeError, type DescribedError } from './describe-error.ts';
import { createReportLimit } from './report-limit.ts';
import type { ErrorReport, ReportError } from './report.ts';

export type SentrySettings = {
  /** The address of the project, with its public key. */
  dsn: string;
  /** Such as `production`. */
  environment: string;
};

/** How long a request to the tracker may take, in milliseconds. */
const sendTimeoutMs = 5_000;
/** How long `stop` waits for reports that are being sent, in milliseconds: a process that stops needs its time for its components. */
const stopTimeoutMs = 1_500;
/** The maximum number of reports that are being sent. Further reports are dropped. */
const maxInFlight = 30;

/**
 * Sends error reports to Sentry, or a server with the same protocol. The client is used without Sentry's global set-up and without integrations, so that it
 * patches no module, collects nothing on its own, and sends only the events composed here. This module loads Sentry's SDK, so it is imported only with a DSN.
 */
export function createSentryReports(
  { service, release, metrics }: Pick<Telemetry, 'service' | 'release' | 'metrics'>,
  settings: SentrySettings,
): { report: ReportError; stop(): Promise<void> } {
  const reports = new Counter({
    name: 'error_reports_total',
    help: 'Reports to the error tracker by outcome: accepted, refused (by the tracker), failed (not sent, or no response), limited (too many).',
    labelNames: ['outcome'],
    registers: [metrics],
  });
  for (const outcome of ['accepted', 'refused', 'failed', 'limited']) reports.inc({ outcome }, 0);
  const agent = new Agent({ connections: 4, headersTimeout: sendTimeoutMs, bodyTimeout: sendTimeoutMs });
  const maySend = createReportLimit();

  /** Counts a report that got no response, or was not sent because too many are being sent or the tracker has asked to wait. */
  function countLost(reason: string): void {
    // a report with a response has been counted already
    if (reason === 'send_error') return;
    reports.inc({ outcome: reason === 'ratelimit_backoff' ? 'refused' : 'failed' });
  }

  const client = new NodeClient({
    dsn: settings.dsn,
    environment: settings.environment,
    release: `taskwire@${release}`,
    integrations: [],
    stackParser: () => [],
    enableRuntimeChannelInjection: false,
    includeServerName: false,
    sendClientReports: false,
    transportOptions: { bufferSize: maxInFlight },
    transport: (options) =>
      createTransport({ ...options, recordDroppedEvent: countLost }, async ({ body }) => {
        const response = await request(options.url, {
          dispatcher: agent,
          method: 'POST',
          headers: { ...options.headers, 'content-type': 'application/x-sentry-envelope' },
          body,
          signal: AbortSignal.timeout(sendTimeoutMs),
        });
        await response.body.dump();
        reports.inc({ outcome: response.statusCode < 300 ? 'accepted' : 'refused' });
        return { statusCode: response.statusCode, headers: rateLimitsOf(response.headers) };
      }),
  });

  function report(given: ErrorReport): void {
    const errors = describeError(given.error);
    if (!maySend(alikeOf(given, errors))) return reports.inc({ outcome: 'limited' });
    const scope = new Scope();
    const trace = traceId();
    if (trace !== undefined) scope.setPropagationContext({ traceId: trace, sampleRand: 0, sampled: false });
    client.captureEvent(eventOf(given, errors, service), {}, scope);
  }

  return {
    report(given) {
      try {
        report(given);
      } catch {
        reports.inc({ outcome: 'failed' });
      }
    },
    async stop() {
      await client.close(stopTimeoutMs);
      await agent.destroy();
    },
  };
}

function eventOf({ kind, tags }: ErrorReport, errors: readonly DescribedError[], service: string) {
  const { request_id: requestId, message_id: messageId } = logContext();
  const [first] = errors;
  const all = { service, kind, request_id: requestId, message_id: messageId, error_code: first?.code, ...tags };
  const plain = Object.entries(all).flatMap(([name, value]) => (isPlain(value) ? [[name, String(value)]] : []));
  const given = Object.fromEntries(plain) as Record<string, string>;
  return {
    level: kind === 'uncaught' ? ('fatal' as const) : ('error' as const),
    tags: given,
    ...(first === undefined ? { message: messageOf(given) } : { exception: { values: exceptionsOf(errors) } }),
  };
}

/** Sentry groups events without an exception by their message. */
function messageOf({ kind, code, route, handler }: Record<string, string>): string {
  return [kind, code, route, handler].filter((part) => part !== undefined).join(' ');
}

/** Sentry shows the last exception as the main one, and the earlier ones as its causes. */
function exceptionsOf(errors: readonly DescribedError[]) {
  return errors.toReversed().map(({ type, code, frames }) => ({
    type,
    value: code ?? 'The message is in the log.',
    ...(frames.length === 0 ? {} : { stacktrace: { frames } }),
  }));
}

/** Whether a value looks like an id, a code, a route or a name of the code base. Senders of messages choose some ids, such as the request id. */
function isPlain(value: string | number | undefined): boolean {
  return value !== undefined && /^[\w./{}:*-]{1,100}$/.test(String(value));
}

/** The same for errors of one kind: the kind, the codes, and the innermost place in the code base. */
function alikeOf({ kind, tags }: ErrorReport, errors: readonly DescribedError[]): string {
  const places = errors.map(({ type, code, frames }) => {
    const place = frames.findLast((frame) => frame.in_app);
    return `${type} ${code} ${place?.filename}:${place?.lineno}`;
  });
  return [kind, tags?.['code'], tags?.['route'], tags?.['handler'], ...places].join(' ');
}

function rateLimitsOf(headers: Record<string, string | string[] | undefined>) {
  const textOf = (name: string): string | null => [headers[name]].flat()[0] ?? null;
  return { 'retry-after': textOf('retry-after'), 'x-sentry-rate-limits': textOf('x-sentry-rate-limits') };
}
