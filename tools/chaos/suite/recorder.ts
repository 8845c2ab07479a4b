import { setTimeout as delay } from 'node:timers/promises';
import amqp, { type Channel, type ChannelModel, type ConsumeMessage } from 'amqplib';
import { eventExchange } from '@taskwire/contracts';
import { serviceTopology, type TopologyChannel } from '@taskwire/rabbit';
import type { RecordedEvent } from '../evidence.ts';
import { bindingKeys } from './operator.ts';
import type { RawMessage } from './raw-message.ts';

/**
 * The operator's own queue of all events, which records all published events, independently of the services' reports. Like the services' queues, it
 * survives restarts of the broker.
 */
export type Recorder = {
  /** All messages so far, in the order of arrival; the same message may occur more than once. */
  messages: readonly RawMessage[];
  /** Resolves once everything that was published before the call has been recorded. */
  caughtUp(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
};

export const recorderQueue = 'chaos.recorder';
const reconnectMs = 200;

/**
 * Starts recording as soon as the broker is available. `onBound` is called when this queue and the queues of all services exist, so that from then on
 * every event is recorded and has a destination.
 */
export function startRecorder(o: {
  url: string;
  onBound: () => void;
  onEvent: (event: RecordedEvent) => void;
}): Recorder {
  const messages: RawMessage[] = [];
  let connection: ChannelModel | undefined;
  let stopped = false;
  let bound = false;

  async function record(): Promise<void> {
    const opened = await amqp.connect(`${o.url}?heartbeat=5`, { timeout: 5_000 });
    connection = opened;
    const closed = new Promise<void>((resolve) => opened.once('close', () => resolve()));
    opened.on('error', () => undefined);
    try {
      const channel = await opened.createChannel();
      channel.on('error', () => undefined);
      if (!bound) await declareServices(channel);
      await channel.assertQueue(recorderQueue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
      await channel.bindQueue(recorderQueue, eventExchange, '#');
      await channel.prefetch(500);
      await channel.consume(recorderQueue, (message) => {
        // the queue was deleted, which shows up as missing events
        if (message === null) return;
        take(message);
        channel.ack(message);
      });
      if (!bound) o.onBound();
      bound = true;
      await closed;
    } finally {
      connection = undefined;
      await opened.close().catch(() => undefined);
    }
  }

  function take({ content, fields, properties }: ConsumeMessage): void {
    const id = String(properties.messageId);
    messages.push({ id, routingKey: fields.routingKey, content, properties });
    o.onEvent(toEvent(id, fields.routingKey, content, properties));
  }

  const ended = (async () => {
    while (!stopped) {
      await record().catch(() => undefined);
      if (!stopped) await delay(reconnectMs);
    }
  })();

  return {
    messages,
    async caughtUp(signal) {
      for (;;) {
        signal.throwIfAborted();
        if (await isEmpty(connection)) return;
        await delay(50);
      }
    },
    async stop() {
      stopped = true;
      await connection?.close().catch(() => undefined);
      await ended;
    },
  };
}

/** Declares the services' queues and bindings before the services do so themselves. */
async function declareServices(channel: Channel): Promise<void> {
  const declare: TopologyChannel = {
    ensureExchange: async (...args) => void (await channel.assertExchange(...args)),
    assertExchange: async (...args) => void (await channel.assertExchange(...args)),
    assertQueue: async (...args) => void (await channel.assertQueue(...args)),
    bindQueue: async (...args) => void (await channel.bindQueue(...args)),
    bindExchange: async (...args) => void (await channel.bindExchange(...args)),
    unbindQueue: async (...args) => void (await channel.unbindQueue(...args)),
  };
  for (const [service, bindings] of Object.entries(bindingKeys)) await serviceTopology({ service, bindings })(declare);
}

async function isEmpty(connection: ChannelModel | undefined): Promise<boolean> {
  if (connection === undefined) return false;
  try {
    const channel = await connection.createChannel();
    channel.on('error', () => undefined);
    const { messageCount } = await channel.checkQueue(recorderQueue);
    await channel.close();
    return messageCount === 0;
  } catch {
    return false;
  }
}

function toEvent(
  messageId: string,
  type: string,
  content: Buffer,
  properties: ConsumeMessage['properties'],
): RecordedEvent {
  const payload = JSON.parse(content.toString('utf8')) as Payload;
  return {
    ...{ messageId, type },
    aggregateId: String(properties.headers?.['aggregate_id']),
    timestamp: String(payload['timestamp']),
    actor: payload['actor'] ?? null,
    named: payload['assigned_to'] ?? payload['unassigned_from'] ?? payload['user_id'] ?? null,
    ...detailsOf(type, payload),
  };
}

type Payload = Record<string, string | null> & { mentions?: string[]; mentions_added?: string[] };

/** The fields that distinguish reminders of one task, and skipped occurrences of one schedule, and those of a comment. */
function detailsOf(type: string, payload: Payload): Pick<RecordedEvent, 'instant' | 'reason' | 'task' | 'mentioned'> {
  if (type.startsWith('tasks.comment.'))
    return { task: String(payload['task_uuid']), mentioned: payload.mentions_added ?? payload.mentions ?? [] };
  if (type === 'tasks.schedule.skipped')
    return { instant: String(payload['nominal_at']), reason: String(payload['reason']) };
  return type.endsWith('.due_soon') || type.endsWith('.overdue') ? { instant: String(payload['due_at']) } : {};
}
