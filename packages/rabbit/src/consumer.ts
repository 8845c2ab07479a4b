import type { ConsumeMessage, MessageProperties, XDeath } from 'amqplib';
import { setTimeout as delay } from 'node:timers/promises';
import { subjectFields } from '@taskwire/contracts';
import { errorText } from '@taskwire/errors';
import { raceAbort, untilAborted } from '@taskwire/lifecycle';
import { withExtractedTrace, type Telemetry } from '@taskwire/telemetry';
import { createAcks, type Acks } from './acks.ts';
import { answer, closeChannel, openChannel, type OpenChannel } from './channel.ts';
import type { Connection } from './connection.ts';
import type { Declare } from './declare.ts';
import { carrierOf, processSpan } from './message-spans.ts';
import { rabbitMetrics } from './metrics.ts';
import { endingInTime, supervise } from './supervise.ts';
import type { SupervisedConnection } from './supervised-connection.ts';
import { headersFault } from './unreadable-headers.ts';

/** A message as received, without any checks. */
export type Delivery = {
  messageId: string | undefined;
  type: string | undefined;
  /** The exchange to which the message was published, or, for a dead-lettered message, the exchange to which it was dead-lettered. */
  exchange: string;
  routingKey: string;
  body: Buffer;
  headers: Record<string, unknown>;
  /** Why the headers could not be read: amqplib cannot decode them, or they are nested too deeply. `headers` is then empty. */
  headersFault: string | undefined;
  /** Seconds since the epoch. */
  timestamp: number | undefined;
  correlationId: string | undefined;
  appId: string | undefined;
  /** The login that published the message, which the broker has checked against the connection. Undefined if the publisher did not set it. */
  userId: string | undefined;
  contentType: string | undefined;
  redelivered: boolean;
  /**
   * How many earlier deliveries from a quorum queue failed. A lost connection of a consumer counts as a failed delivery of every message that it
   * held.
   */
  deliveryCount: number;
  /** The dead-letter history of a message that was routed through a dead-letter exchange. */
  deaths: XDeath[];
  /** Aborted when the channel of the message is closed: its acknowledgement can no longer arrive, and it will be redelivered. */
  signal: AbortSignal;
};

export type ConsumeOptions = {
  queue: string;
  /** The maximum number of unacknowledged messages. */
  prefetch: number;
  /**
   * Handles a message. If it resolves, the message is acknowledged. If it rejects, the message is requeued after a pause, and that counts against the
   * queue's delivery limit.
   */
  onMessage(delivery: Delivery): Promise<void>;
  /** The mean of that pause, in milliseconds. */
  requeuePauseMs?: number;
  /**
   * Called before consuming starts or resumes, for example to ping the database; no messages are consumed while it rejects. It may resolve to a
   * signal. When that signal is aborted, consuming ends as it does with `stop`, until `ready` resolves again.
   */
  ready?: () => Promise<AbortSignal | undefined | void>;
};

export type Consumer = {
  /** Takes no more messages, waits at most 5 s for those that are being handled, and returns the others to the queue. */
  stop(): Promise<void>;
};

/** Long enough to prevent a busy loop of redeliveries, but short enough not to delay later messages of the queue for long. */
const defaultRequeuePauseMs = 1_000;
const drainTimeoutMs = 5_000;

export function createConsumer(
  { queue, prefetch, onMessage, ready, requeuePauseMs = defaultRequeuePauseMs }: ConsumeOptions,
  { supervised, declare, telemetry }: { supervised: SupervisedConnection; declare: Declare; telemetry: Telemetry },
): Consumer & { queue: string; start(): void; up(): boolean } {
  const { logger } = telemetry;
  const metrics = rabbitMetrics(telemetry.metrics);
  const label = { channel: queue };
  const inProgress = new Set<Promise<void>>();
  let supervisor: { stop(): Promise<void> } | undefined;
  let stopping = false;
  let suspended = false;
  let up = false;

  async function handle({ ended }: OpenChannel, acks: Acks, message: ConsumeMessage): Promise<void> {
    try {
      const delivery = toDelivery(message, ended);
      if (delivery.headersFault !== undefined)
        logger.error(`a message of ${queue} has unreadable headers`, {
          queue,
          ...idsOf(message),
          app_id: delivery.appId,
          error: delivery.headersFault,
        });
      await withExtractedTrace(carrierOf(delivery.headers), processSpan(queue, delivery), () => onMessage(delivery));
      if (ended.aborted) return metrics.deliveries.inc({ queue, outcome: 'lost' });
      acks.ack(message);
      metrics.deliveries.inc({ queue, outcome: 'acked' });
    } catch (error) {
      if (ended.aborted) return metrics.deliveries.inc({ queue, outcome: 'lost' });
      logger.error(`a message of ${queue} was neither handled nor recorded; requeueing it`, {
        ...idsOf(message),
        error: errorText(error),
      });
      metrics.deliveries.inc({ queue, outcome: 'requeued' });
      await delay(requeuePauseMs * (0.5 + Math.random()), undefined, { signal: ended });
      acks.requeue(message);
    }
  }

  function receive(open: OpenChannel, acks: Acks, message: ConsumeMessage): void {
    // messages that arrive while stopping stay unacknowledged: they return to the queue, in order, when the channel closes
    if (stopping || suspended) return;
    // can reject only if the channel closed just before a nack
    const handled = handle(open, acks, message)
      .catch(() => metrics.deliveries.inc({ queue, outcome: 'lost' }))
      .finally(() => inProgress.delete(handled));
    inProgress.add(handled);
  }

  async function consume(
    connection: Connection,
    open: OpenChannel,
    acks: Acks,
    cancelled: AbortController,
  ): Promise<void> {
    await answer(connection, 'prefetch', (done) => open.channel.prefetch(prefetch, false, done));
    const onDelivery = (message: ConsumeMessage | null): void => {
      // the broker cancels a consumer when its queue is deleted or moves; amqplib reports that with null
      if (message === null) cancelled.abort(new Error('the broker cancelled the consumer'));
      else receive(open, acks, message);
    };
    await answer(connection, `consuming of ${queue}`, (done) => open.channel.consume(queue, onDelivery, {}, done));
  }

  async function session(signal: AbortSignal): Promise<void> {
    const permission = ready === undefined ? undefined : await raceAbort(ready(), signal);
    const connection = await supervised.get(signal);
    await endingInTime(connection, signal, async () => await life(connection, permission ?? undefined, signal));
  }

  async function life(connection: Connection, permission: AbortSignal | undefined, signal: AbortSignal): Promise<void> {
    await declare(connection, 'everything');
    const open = await openChannel(connection);
    const cancelled = new AbortController();
    const acks = createAcks(open.channel, () => inProgress.size);
    suspended = false;
    await consume(connection, open, acks, cancelled);
    metrics.channelUp.set(label, 1);
    up = true;
    try {
      await untilAborted(open.ended, cancelled.signal, signal, ...(permission === undefined ? [] : [permission]));
    } finally {
      suspended = permission?.aborted === true;
      if (suspended && !open.ended.aborted) await drained();
      up = false;
      metrics.channelUp.set(label, 0);
      // needed even after a cancel, because unacknowledged messages would stay on the old channel
      if (!open.ended.aborted) await close(connection, open, acks).catch(() => undefined);
    }
  }

  async function drained(): Promise<void> {
    const timeout = delay(drainTimeoutMs, undefined, { ref: false });
    await Promise.race([Promise.allSettled(inProgress), timeout]);
  }

  return {
    queue,
    up: () => up,
    start() {
      metrics.channelUp.set(label, 0);
      // the series exists before the first message, because the increase of a series that appears with a message would miss it
      metrics.deliveries.inc({ queue, outcome: 'acked' }, 0);
      supervisor ??= supervise({ what: `consumer of ${queue}`, session, logger });
    },
    async stop() {
      // No cancel first: with a single active consumer the next one would start at once, concurrently with the messages that are still being handled
      // here, and overtake them. Closing the channel hands over the messages and the active role together.
      stopping = true;
      await drained();
      await supervisor?.stop();
      supervisor = undefined;
    },
  };
}

async function close(connection: Connection, { channel }: OpenChannel, acks: Acks): Promise<void> {
  acks.flush();
  await closeChannel(connection, channel);
}

function toDelivery({ content, fields, properties }: ConsumeMessage, signal: AbortSignal): Delivery {
  const fault = headersFault(properties.headers ?? {});
  const headers: Record<string, unknown> = fault === undefined ? (properties.headers ?? {}) : {};
  const count = headers['x-delivery-count'];
  const deaths = headers['x-death'];
  return {
    messageId: text(properties.messageId),
    type: text(properties.type),
    exchange: fields.exchange,
    routingKey: fields.routingKey,
    body: content,
    headers,
    headersFault: fault,
    timestamp: typeof properties.timestamp === 'number' ? properties.timestamp : undefined,
    correlationId: text(properties.correlationId),
    appId: text(properties.appId),
    userId: text(properties.userId),
    contentType: text(properties.contentType),
    redelivered: fields.redelivered,
    deliveryCount: typeof count === 'number' ? count : 0,
    deaths: Array.isArray(deaths) ? deaths : [],
    signal,
  };
}

/** Names a message in the log, with the fields that a handled message has too. */
function idsOf({ content, properties: { messageId, type, correlationId, headers } }: ConsumeMessage): object {
  const aggregateId = text(headers?.['aggregate_id']);
  const subject = subjectFields(text(type) ?? '', aggregateId, () => content.toString('utf8'));
  return { message_id: text(messageId), event: text(type), ...subject, request_id: text(correlationId) };
}

function text(value: MessageProperties['messageId']): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
