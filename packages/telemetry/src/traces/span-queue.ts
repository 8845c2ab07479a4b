import { setTimeout as delay } from 'node:timers/promises';
import { TraceFlags } from '@opentelemetry/api';
import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace';
import type { Logger } from '../telemetry.ts';
import type { SpanSender } from './otlp-sender.ts';

/** Why spans were dropped: the queue was full, the receiver could not be reached or refused them, or the process stopped before they were sent. */
export const dropReasons = ['queue_full', 'unavailable', 'refused', 'stopped'] as const;
export type DropReason = (typeof dropReasons)[number];

export type SpanQueueOptions = {
  sender: SpanSender;
  maxSpans: number;
  logger: Logger;
  sent(count: number): void;
  dropped(reason: DropReason, count: number): void;
  /** How long `stop` may take, in milliseconds. */
  stopTimeoutMs?: number;
  /** The pauses before further attempts of a batch, in milliseconds. */
  retryPausesMs?: readonly number[];
};

export type SpanQueue = {
  processor: SpanProcessor;
  /** Sends what is queued, within the time limit; the rest is dropped. */
  stop(): Promise<void>;
};

/** How long a span waits for others, in milliseconds: long enough for full batches, and short enough for a person who is watching. */
const gatherMs = 1_000;
/** Serialising this many spans blocks the event loop for about a millisecond. */
const batchSize = 256;
/** A process may take 8 s to stop, most of which its components need. */
const defaultStopTimeoutMs = 1_500;
/** A receiver that restarts is back within the sum. Until then the queue fills up, and its limit applies. */
const defaultRetryPausesMs = [500, 1_000, 2_000, 4_000];

/**
 * A bounded queue of ended spans, sent in batches by one request at a time. Work never waits for it: when it is full, because the receiver is down,
 * slow or hanging, further spans are dropped and counted.
 */
export function createSpanQueue(options: SpanQueueOptions): SpanQueue {
  const { sender, maxSpans, logger, sent, dropped, retryPausesMs = defaultRetryPausesMs } = options;
  const stopping = new AbortController();
  const queued: ReadableSpan[] = [];
  /** The spans of the batch that is being sent; they count towards the limit. */
  let inFlight = 0;
  let timer: NodeJS.Timeout | undefined;
  let sending: Promise<void> | undefined;
  let isStopped = false;
  let isFailing = false;

  function schedule(): void {
    if (sending !== undefined) return;
    if (queued.length >= batchSize) start();
    else timer ??= setTimeout(start, gatherMs).unref();
  }

  function start(): void {
    clearTimeout(timer);
    timer = undefined;
    sending = sendAll().finally(() => {
      sending = undefined;
      if (queued.length > 0 && !isStopped) schedule();
    });
  }

  /** Sends full batches, and the rest once. */
  async function sendAll(): Promise<void> {
    do {
      const batch = queued.splice(0, batchSize);
      inFlight = batch.length;
      await sendBatch(batch);
      inFlight = 0;
    } while (queued.length >= batchSize || (isStopped && queued.length > 0));
  }

  async function sendBatch(batch: ReadableSpan[]): Promise<void> {
    for (const pauseMs of [...retryPausesMs, undefined]) {
      const result = await sender.send(batch, stopping.signal);
      if (result.kind === 'accepted') {
        noteRecovery();
        sent(batch.length - result.rejected);
        if (result.rejected > 0) dropped('refused', result.rejected);
        return;
      }
      noteFailure(result.detail);
      if (result.kind === 'refused') return dropped('refused', batch.length);
      if (stopping.signal.aborted) return dropped('stopped', batch.length);
      if (pauseMs === undefined || isStopped) break;
      await delay(pauseMs, undefined, { signal: stopping.signal, ref: false }).catch(() => undefined);
    }
    dropped(isStopped ? 'stopped' : 'unavailable', batch.length);
  }

  /** One line for each outage, however many batches fail. */
  function noteFailure(detail: string): void {
    if (!isFailing) logger.warn('spans cannot be sent; requests are not affected', { error: detail });
    isFailing = true;
  }

  function noteRecovery(): void {
    if (isFailing) logger.info('spans are sent again');
    isFailing = false;
  }

  return {
    processor: {
      onStart: () => undefined,
      onEnd(span) {
        if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) === 0) return;
        if (isStopped) return dropped('stopped', 1);
        if (queued.length + inFlight >= maxSpans) return dropped('queue_full', 1);
        queued.push(span);
        schedule();
      },
      forceFlush: async () => await sending,
      shutdown: async () => undefined,
    },
    async stop() {
      isStopped = true;
      const deadline = setTimeout(
        () => stopping.abort(new Error('the process stops')),
        options.stopTimeoutMs ?? defaultStopTimeoutMs,
      );
      await sending;
      if (queued.length > 0 && !stopping.signal.aborted) {
        start();
        await sending;
      }
      clearTimeout(deadline);
      stopping.abort(new Error('the process stops'));
      if (queued.length > 0) dropped('stopped', queued.splice(0).length);
      clearTimeout(timer);
      await sender.close();
    },
  };
}
