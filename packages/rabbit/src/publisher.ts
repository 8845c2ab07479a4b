import type amqp from 'amqplib/callback_api';
import { errorText } from '@taskwire/errors';
import { untilAborted } from '@taskwire/lifecycle';
import { failSpan, type Span, type Telemetry } from '@taskwire/telemetry';
import { openConfirmChannel } from './channel.ts';
import type { Connection } from './connection.ts';
import type { Declare } from './declare.ts';
import { publishSpan } from './message-spans.ts';
import { rabbitMetrics } from './metrics.ts';
import { PublishError } from './publish-error.ts';
import type { PublisherLimits } from './publisher-limits.ts';
import { endingInTime, supervise } from './supervise.ts';
import type { SupervisedConnection } from './supervised-connection.ts';

export type OutgoingMessage = {
  /** Unique for each message. A message may be published again with the same id, but not concurrently. */
  messageId: string;
  /** The routing key, which is also sent as the AMQP `type`. */
  routingKey: string;
  /** JSON, in UTF-8. */
  body: Buffer;
  headers: Record<string, string | number>;
  /** Seconds since the epoch. */
  timestamp: number;
  correlationId?: string | undefined;
  /** The name of the publishing service. */
  appId: string;
};

export type Publisher = {
  /**
   * Publishes a persistent, `mandatory` message. Resolves with `confirmed` once every queue that it was routed to has stored it safely, or with
   * `returned` if it was routed to no queue (and is stored nowhere). While there is no connection or no capacity, or the broker blocks, publishes wait in
   * call order for at most `waitTimeoutMs`. `signal` ends that wait, but does not revoke a written message.
   * @throws PublishError
   */
  publish(message: OutgoingMessage, options?: { signal?: AbortSignal }): Promise<'confirmed' | 'returned'>;
  /** The number of messages that were written and have neither been confirmed nor failed yet. */
  inFlight(): number;
};

/** How long a stop waits for confirms; it must fit within the time that a process has to end (8 s). */
const drainTimeoutMs = 3_000;

type Entry = {
  message: OutgoingMessage;
  resolve(outcome: 'confirmed' | 'returned'): void;
  reject(error: PublishError): void;
  returned: boolean;
  /** The time at which the publish was requested, replaced by the time at which it was written; by the monotonic clock. */
  since: number;
  cancelWait: (() => void) | undefined;
  span: Span | undefined;
};

type Open = { channel: amqp.ConfirmChannel; connection: Connection; writable: boolean; unblockedAt: number };

export type PublisherOptions = {
  supervised: SupervisedConnection;
  declare: Declare;
  exchange: string;
  /** The login of the connection, sent as `user_id` with every message; the broker refuses any other value. */
  userId: string | undefined;
  telemetry: Telemetry;
  limits: PublisherLimits;
};

export function createPublisher(options: PublisherOptions): Publisher & {
  start(): void;
  up(): boolean;
  stop(): Promise<void>;
} {
  const { supervised, declare, exchange, userId, telemetry, limits } = options;
  const metrics = rabbitMetrics(telemetry.metrics);
  const label = { channel: 'publish' };
  /** Requested messages that are neither confirmed nor failed, in call order. Used to find returned messages and to check ids. */
  const pending = new Map<string, Entry>();
  const written = new Set<Entry>();
  const waiting = new Set<Entry>();
  let open: Open | undefined;
  let supervisor: { stop(): Promise<void> } | undefined;
  let onDrained: (() => void) | undefined;
  let stopped = false;

  function publish(
    message: OutgoingMessage,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<'confirmed' | 'returned'> {
    const refusal = refuse(message, signal);
    if (refusal !== undefined) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      const traced = publishSpan(exchange, message);
      const entry: Entry = {
        message: traced?.message ?? message,
        span: traced?.span,
        resolve,
        reject,
        returned: false,
        since: performance.now(),
        cancelWait: undefined,
      };
      pending.set(message.messageId, entry);
      if (waiting.size === 0 && hasCapacity(open)) return write(entry, open);
      waiting.add(entry);
      if (signal === undefined) return;
      const abandon = (): void =>
        fail(entry, new PublishError('not_sent', 'cancelled before it was sent', signal.reason));
      signal.addEventListener('abort', abandon, { once: true });
      entry.cancelWait = () => signal.removeEventListener('abort', abandon);
    });
  }

  function refuse({ messageId, body }: OutgoingMessage, signal: AbortSignal | undefined): PublishError | undefined {
    if (stopped) return new PublishError('not_sent', 'the publisher is stopped');
    if (signal?.aborted === true) return new PublishError('not_sent', 'cancelled before it was sent', signal.reason);
    if (pending.has(messageId)) return new PublishError('in_flight', `message ${messageId} is already in flight`);
    if (body.length > limits.maxBodyBytes)
      return new PublishError('invalid', `the body has ${body.length} bytes, ${limits.maxBodyBytes} are allowed`);
    return undefined;
  }

  function hasCapacity(to: Open | undefined): to is Open {
    return to !== undefined && to.writable && !to.connection.blocked() && written.size < limits.maxInFlight;
  }

  function write(entry: Entry, to: Open): void {
    const { messageId, routingKey, body, headers, timestamp, correlationId, appId } = entry.message;
    leaveQueue(entry);
    entry.since = performance.now();
    written.add(entry);
    try {
      to.writable = to.channel.publish(
        exchange,
        routingKey,
        body,
        {
          mandatory: true,
          persistent: true,
          messageId,
          type: routingKey,
          timestamp,
          appId,
          ...(userId === undefined ? {} : { userId }),
          contentType: 'application/json',
          ...(correlationId === undefined ? {} : { correlationId }),
          headers,
        },
        (error: Error | null) => {
          if (error === null) confirm(entry);
          else if (error.message === 'message nacked')
            fail(entry, new PublishError('nacked', 'the broker rejected it'));
          else {
            // amqplib reports this for each written message before it reports that the channel is closed: waiting messages are for the next channel
            to.writable = false;
            fail(entry, new PublishError('unknown', 'the channel was lost before the confirm', error));
          }
        },
      );
    } catch (error) {
      // a RangeError or TypeError comes from encoding this message; any other error means that the channel has just closed
      const invalid = error instanceof RangeError || error instanceof TypeError;
      if (!invalid) to.writable = false;
      fail(entry, new PublishError(invalid ? 'invalid' : 'not_sent', errorText(error), error));
    }
  }

  function confirm(entry: Entry): void {
    if (!complete(entry)) return;
    const outcome = entry.returned ? 'returned' : 'confirmed';
    metrics.published.inc({ outcome });
    if (outcome === 'returned' && entry.span !== undefined) failSpan(entry.span, outcome);
    entry.span?.end();
    entry.resolve(outcome);
    sendWaiting();
  }

  function fail(entry: Entry, error: PublishError): void {
    if (!complete(entry)) return;
    metrics.published.inc({ outcome: error.code });
    if (entry.span !== undefined) failSpan(entry.span, error.code);
    entry.span?.end();
    entry.reject(error);
    sendWaiting();
  }

  function complete(entry: Entry): boolean {
    leaveQueue(entry);
    if (written.delete(entry) && written.size === 0) onDrained?.();
    return pending.delete(entry.message.messageId);
  }

  function leaveQueue(entry: Entry): void {
    if (!waiting.delete(entry)) return;
    entry.cancelWait?.();
    entry.cancelWait = undefined;
  }

  function sendWaiting(): void {
    if (waiting.size === 0) return;
    for (const entry of waiting) {
      if (!hasCapacity(open)) return;
      write(entry, open);
    }
  }

  async function session(signal: AbortSignal): Promise<void> {
    const connection = await supervised.get(signal);
    await endingInTime(connection, signal, async () => await life(connection, signal));
  }

  async function life(connection: Connection, signal: AbortSignal): Promise<void> {
    await declare(connection, 'everything');
    const { channel, ended } = await openConfirmChannel(connection);
    const opened: Open = { channel, connection, writable: true, unblockedAt: 0 };
    // the broker sends the return of a message before its confirm, on the same channel
    channel.on('return', (message) => {
      const entry = pending.get(String(message.properties.messageId));
      if (entry !== undefined) entry.returned = true;
    });
    channel.on('drain', () => {
      opened.writable = true;
      sendWaiting();
    });
    connection.onBlockedChange((blocked) => {
      opened.unblockedAt = performance.now();
      if (!blocked) sendWaiting();
    });
    const watchdog = setInterval(() => watch(opened), 1_000);
    open = opened;
    metrics.channelUp.set(label, 1);
    sendWaiting();
    try {
      await untilAborted(ended, signal);
    } finally {
      clearInterval(watchdog);
      open = undefined;
      metrics.channelUp.set(label, 0);
      if (!signal.aborted) abandonWritten();
    }
  }

  /** amqplib calls back for each written message when a channel closes; this covers messages that it might miss. */
  function abandonWritten(): void {
    for (const entry of [...written])
      fail(entry, new PublishError('unknown', 'the channel was lost before the confirm'));
  }

  function watch({ connection, unblockedAt }: Open): void {
    const now = performance.now();
    const [oldest] = written;
    if (oldest === undefined || connection.blocked()) return;
    if (now - Math.max(oldest.since, unblockedAt) > limits.confirmTimeoutMs)
      connection.destroy(new Error(`RabbitMQ confirmed nothing for ${limits.confirmTimeoutMs} ms`));
  }

  function everySecond(): void {
    metrics.publishesInFlight.set(written.size);
    const since = performance.now() - limits.waitTimeoutMs;
    for (const entry of waiting) {
      if (entry.since > since) return;
      fail(entry, new PublishError('not_sent', `could not be sent within ${limits.waitTimeoutMs} ms`));
    }
  }

  /** Resolves when all written messages are confirmed or failed, or after a timeout. */
  async function drained(): Promise<void> {
    if (written.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    onDrained = resolve;
    const timer = setTimeout(resolve, drainTimeoutMs);
    await promise;
    clearTimeout(timer);
  }

  let expiry: NodeJS.Timeout | undefined;
  return {
    publish,
    inFlight: () => written.size,
    up: () => open !== undefined,
    start() {
      metrics.channelUp.set(label, 0);
      expiry ??= setInterval(everySecond, 1_000);
      supervisor ??= supervise({ what: 'publish channel', session, logger: telemetry.logger });
    },
    async stop() {
      stopped = true;
      for (const entry of [...waiting]) fail(entry, new PublishError('not_sent', 'the publisher is stopped'));
      await drained();
      await supervisor?.stop();
      abandonWritten();
      clearInterval(expiry);
    },
  };
}
