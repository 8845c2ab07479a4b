import { AsyncLocalStorage } from 'node:async_hooks';
import { subjectFields } from '@taskwire/contracts';
import {
  SpanKind,
  traceId,
  withExtractedTrace,
  withLogContext,
  withSpan,
  type TraceCarrier,
} from '@taskwire/telemetry';
import type { NamedHandler } from './handler.ts';
import { sourceEpochOf, type Message } from './message.ts';
import { failureOf, retry, type Outcome } from './outcome.ts';
import { storable } from './storable.ts';

/** The handler's outcome, and a function that runs later work in the handler's trace and log context. */
export type HandlerResult = { outcome: Outcome; inContext: <T>(fn: () => T) => T };

export type HandlerRunner = {
  /** Never rejects: an error or a timeout of the handler becomes a retry. Waits for a free slot when many handlers run. */
  run(handler: NamedHandler, message: Message, event: unknown, attempt: number): Promise<HandlerResult>;
  /** Aborts the signals of all running and future handlers. */
  stop(reason: Error): void;
};

/**
 * `concurrency`: the number of handlers that may run at a time. `timeoutMs`: how long a handler may run. The result of a handler that exceeds this
 * time is ignored.
 */
export function createHandlerRunner({
  concurrency,
  timeoutMs,
}: {
  concurrency: number;
  timeoutMs: number;
}): HandlerRunner {
  const running = new Set<AbortController>();
  const waiting: (() => void)[] = [];
  let active = 0;
  let stopped: Error | undefined;

  async function acquire(): Promise<void> {
    if (active < concurrency) active += 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
  }

  function release(): void {
    const next = waiting.shift();
    if (next === undefined) active -= 1;
    else next();
  }

  async function handle(
    handler: NamedHandler,
    message: Message,
    event: unknown,
    attempt: number,
  ): Promise<HandlerResult> {
    const controller = new AbortController();
    const timedOut = Promise.withResolvers<Outcome>();
    const timer = setTimeout(() => {
      controller.abort(new Error(`no outcome within ${timeoutMs} ms`));
      timedOut.resolve(retry(`no outcome within ${timeoutMs} ms`));
    }, timeoutMs);
    running.add(controller);
    if (stopped !== undefined) controller.abort(stopped);
    const context = {
      messageId: message.id ?? '',
      type: message.type,
      aggregateId: message.aggregateId,
      sourceEpoch: sourceEpochOf(message),
      attempt,
      signal: controller.signal,
    };
    // also catches a handler that throws before it returns a promise
    const handled = (async () => await handler.handle(event, context))().catch((error: unknown) => failureOf(error));
    const outcome = await Promise.race([handled, timedOut.promise]);
    clearTimeout(timer);
    running.delete(controller);
    return { outcome: withStorableReason(outcome), inContext: AsyncLocalStorage.snapshot() };
  }

  return {
    async run(handler, message, event, attempt) {
      await acquire();
      try {
        return await inContextOf(message, handler, () => handle(handler, message, event, attempt));
      } finally {
        release();
      }
    },
    stop(reason) {
      stopped = reason;
      for (const controller of running) controller.abort(reason);
    },
  };
}

/**
 * Adds the message and request ids to every log line, and continues the trace of the request that caused the event. While the message is being
 * received, that trace is active; a later attempt continues it from the headers.
 */
async function inContextOf<T>(message: Message, handler: NamedHandler, fn: () => Promise<T>): Promise<T> {
  const { id, type, aggregateId, correlationId, payload } = message;
  const fields = {
    event: type,
    ...(id === undefined ? {} : { message_id: id }),
    ...subjectFields(type, aggregateId, () => payload.toString('utf8')),
    ...(correlationId === undefined ? {} : { request_id: correlationId }),
  };
  const span = { name: `handle ${handler.name}` };
  return await withLogContext(fields, () =>
    traceId() === undefined
      ? withExtractedTrace(traceOf(message), { ...span, kind: SpanKind.CONSUMER }, fn)
      : withSpan(span, fn),
  );
}

function traceOf({ headers }: Message): TraceCarrier {
  const { traceparent, tracestate } = JSON.parse(headers) as Record<string, unknown>;
  return { traceparent: textOf(traceparent), tracestate: textOf(tracestate) };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function withStorableReason(outcome: Outcome): Outcome {
  return outcome.kind === 'done' ? outcome : { ...outcome, reason: storable(outcome.reason) };
}
