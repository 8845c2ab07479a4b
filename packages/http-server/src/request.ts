import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import type { Request, RequestHandler, Response } from 'express';
import { errorText } from '@taskwire/errors';
import { openExtractedTrace, withLogContext, type Telemetry } from '@taskwire/telemetry';
import { Histogram } from 'prom-client';
import { problemDocument, toProblem } from './problem-response.ts';

/** An id that a proxy in front may have given: short, and nothing that could forge a log line or a header. */
const saneRequestId = /^[\w.-]{1,64}$/;

/** What the pipeline knows of a request. */
export type RequestState = {
  requestId: string;
  route: string;
  /** By this process's monotonic clock, in milliseconds. */
  arrivedAt: number;
};

const states = new WeakMap<Request, RequestState>();

/** The state of a request that went through `observeRequests`. */
export function stateOf(request: Request): RequestState {
  const state = states.get(request);
  if (state === undefined) throw new Error('the request did not go through observeRequests');
  return state;
}

/**
 * Gives each request its id, trace and log context, and logs and measures its end once, however it ends. The route label is the
 * contract's path, never the address, so that the number of series is bounded.
 */
export function observeRequests(telemetry: Telemetry): RequestHandler {
  const duration = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from the request to the end of its answer.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10],
    registers: [telemetry.metrics],
  });
  return (request, response, next) => {
    const given = request.get('x-request-id');
    const state = {
      requestId: given !== undefined && saneRequestId.test(given) ? given : randomUUID(),
      route: 'unknown',
      arrivedAt: performance.now(),
    };
    states.set(request, state);
    response.setHeader('X-Request-Id', state.requestId);

    function finish(): void {
      const seconds = (performance.now() - state.arrivedAt) / 1000;
      const status = response.writableFinished ? response.statusCode : 499;
      duration.observe({ method: request.method, route: state.route, status }, seconds);
      const level = state.route.startsWith('/api') || status >= 400 ? 'info' : 'debug';
      const ms = Math.round(seconds * 1e5) / 100;
      telemetry.logger.log(level, 'request', { method: request.method, route: state.route, status, duration_ms: ms });
    }

    withLogContext({ request_id: state.requestId }, () => {
      openExtractedTrace(traceCarrier(request), `HTTP ${request.method}`, (end) => {
        // bound, because the event comes from the socket, outside of this context
        const ended = AsyncLocalStorage.bind(() => {
          finish();
          end();
        });
        response.once('close', ended);
        next();
      });
    });
  };
}

function traceCarrier(request: Request): { traceparent?: string; tracestate?: string } {
  const traceparent = request.get('traceparent');
  const tracestate = request.get('tracestate');
  return { ...(traceparent === undefined ? {} : { traceparent }), ...(tracestate === undefined ? {} : { tracestate }) };
}

/** Answers an error as a problem document. What is the service's own fault is logged with its cause. */
export function answerError(telemetry: Telemetry, request: Request, response: Response, error: unknown): void {
  const failure = toProblem(error);
  if (failure.status >= 500) {
    const cause = failure.cause ?? failure;
    telemetry.logger.error('a request failed', {
      code: failure.code,
      error: errorText(cause),
      stack: cause instanceof Error ? cause.stack : undefined,
    });
  }
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const document = problemDocument(failure, stateOf(request).requestId);
  response.writeHead(document.status, document.headers).end(JSON.stringify(document.body));
}
