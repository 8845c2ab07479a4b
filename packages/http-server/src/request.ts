import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { errorText } from '@taskwire/errors';
import {
  arrivedAt,
  notedFailure,
  openExtractedTrace,
  withLogContext,
  withoutRecording,
  type Span,
  type Telemetry,
  type TraceCarrier,
} from '@taskwire/telemetry';
import { Histogram } from 'prom-client';
import { isProbe } from './operations.ts';
import { problemDocument, toProblem } from './problem-response.ts';
import { describeEnd, serverSpan } from './request-span.ts';

/** Ids that are short, and safe in log lines and headers; the gateway uses the same pattern. */
const validRequestId = /^[A-Za-z0-9][\w.:-]{0,63}$/;

/** The ids by which a request can be found. */
export type RequestIds = {
  /** Created by the gateway, by a calling service, or by this service. An outside caller cannot choose it. */
  requestId: string;
  /** The caller's `X-Request-Id`, unverified; null if absent or malformed. */
  clientRequestId: string | null;
};

/** Whether an address belongs to a proxy whose headers are trusted. */
export type IsTrusted = (address: string, hop: number) => boolean;

/** The state of a request while it is being served. */
export type RequestState = RequestIds & {
  route: string;
  /** Milliseconds of this process's monotonic clock. */
  arrivedAt: number;
  /** Whether the error of the response has been reported. */
  isReported: boolean;
};

const states = new WeakMap<IncomingMessage, RequestState>();

/** The state of a request that passed through `observeRequests`. */
export function stateOf(request: IncomingMessage): RequestState {
  const state = states.get(request);
  if (state === undefined) throw new Error('the request did not pass through observeRequests');
  return state;
}

/**
 * Gives each request its id, trace and log context, and logs and measures its end exactly once, however it ends. The route label is the contract's
 * path, never the URL, so that the number of series is bounded.
 */
export function observeRequests(telemetry: Telemetry, isTrusted: IsTrusted) {
  const duration = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from the request to the end of its response.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10],
    registers: [telemetry.metrics],
  });
  return (request: IncomingMessage, response: ServerResponse, serve: () => void): void => {
    const state = {
      ...readRequestIds(request, isTrusted),
      route: 'unknown',
      arrivedAt: performance.now(),
      isReported: false,
    };
    states.set(request, state);
    const { method = '' } = request;
    response.setHeader('X-Request-Id', state.requestId);

    function finish(span: Span | undefined): void {
      const seconds = (performance.now() - state.arrivedAt) / 1000;
      const status = response.writableFinished ? response.statusCode : 499;
      duration.observe({ method, route: state.route, status }, seconds);
      const level = state.route.startsWith('/api') || status >= 400 ? 'info' : 'debug';
      const ms = Math.round(seconds * 1e5) / 100;
      telemetry.logger.log(level, 'request', { method, route: state.route, status, duration_ms: ms });
      if (span?.isRecording() === true) describeEnd(span, { method, route: state.route, status });
      // protocols such as OpenID Connect send their own responses
      if (status >= 500 && !state.isReported && !isProbe(request)) reportStatus(telemetry, state.route, status);
    }

    const { requestId, clientRequestId } = state;
    const ids = { request_id: requestId, ...(clientRequestId === null ? {} : { client_request_id: clientRequestId }) };
    function serveIn(span: Span | undefined): void {
      // bound to the current async context, because the socket emits the event outside it
      const ended = AsyncLocalStorage.bind(() => {
        finish(span);
        span?.end();
      });
      response.once('close', ended);
      serve();
    }
    withLogContext({ ...ids, [arrivedAt]: state.arrivedAt }, () => {
      if (isProbe(request)) return withoutRecording(() => serveIn(undefined));
      // the gateway's log has this id as the trace of a request that came without one
      const from = { carrier: traceCarrier(request), newTraceId: requestId };
      openExtractedTrace(from, serverSpan(request, requestId), serveIn);
    });
  };
}

/** Returns the ids of a request, for protocol handlers that read the request themselves. */
export function requestIds(request: IncomingMessage): RequestIds {
  const { requestId, clientRequestId } = stateOf(request);
  return { requestId, clientRequestId };
}

/**
 * Reads the ids of a request. Only the gateway and our own services set `X-Request-Id`, and they pass on their caller's id in `X-Client-Request-Id`.
 * From any other caller, `X-Request-Id` is only the caller's own name for the request.
 */
function readRequestIds(request: IncomingMessage, isTrusted: IsTrusted): RequestIds {
  const given = validId(request, 'x-request-id');
  if (!isTrusted(request.socket.remoteAddress ?? '', 0)) return { requestId: randomUUID(), clientRequestId: given };
  return { requestId: given ?? randomUUID(), clientRequestId: validId(request, 'x-client-request-id') };
}

/** The value of a header; Node joins the values of a repeated header with commas. */
export function headerOf({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
}

function validId(request: IncomingMessage, header: string): string | null {
  const given = headerOf(request, header);
  return given !== undefined && validRequestId.test(given) ? given : null;
}

function traceCarrier(request: IncomingMessage): TraceCarrier {
  return { traceparent: headerOf(request, 'traceparent'), tracestate: headerOf(request, 'tracestate') };
}

/** Sends an error as a problem document. Server errors are logged with their cause, and reported. */
export function answerError(
  telemetry: Telemetry,
  request: IncomingMessage,
  response: ServerResponse,
  error: unknown,
): void {
  const failure = toProblem(error);
  if (failure.status >= 500) {
    const cause = failure.cause ?? failure;
    telemetry.logger.error('a request failed', {
      code: failure.code,
      error: errorText(cause),
      stack: cause instanceof Error ? cause.stack : undefined,
    });
    const state = stateOf(request);
    state.isReported = true;
    telemetry.reportError({ kind: 'server_error', error: cause, tags: { code: failure.code, route: state.route } });
  }
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const document = problemDocument(failure, stateOf(request).requestId);
  response.writeHead(document.status, document.headers).end(JSON.stringify(document.body));
}

function reportStatus(telemetry: Telemetry, route: string, status: number): void {
  const error = notedFailure();
  const tags = { code: `status_${status}`, route };
  telemetry.reportError({ kind: 'server_error', ...(error === undefined ? {} : { error }), tags });
}
