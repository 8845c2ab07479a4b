import { randomUUID } from 'node:crypto';
import amqp from 'amqplib';
import { eventExchange } from '@taskwire/contracts';
import { benchSender } from './messaging.ts';
import type { BenchServers } from './servers.ts';

/** The batch size of a publisher that publishes a batch and then waits for all its confirms, as most programs do. */
export const bareBatch = 500;
/** The relay's maximum number of messages in flight, which is also the most that this client and broker can handle. */
export const bareInFlight = 2_000;

/** Publishes an event with the size and properties of the relay's events. */
export function publishEvent(
  channel: amqp.ConfirmChannel,
  event: { messageId: string; type: string; aggregateId: string; body: Buffer },
  onConfirm?: (error: Error | null) => void,
): void {
  const properties = {
    persistent: true,
    mandatory: true,
    messageId: event.messageId,
    type: event.type,
    contentType: 'application/json',
    appId: benchSender,
    correlationId: 'bench',
    timestamp: Math.floor(Date.now() / 1000),
    headers: { schema_version: 1, aggregate_id: event.aggregateId },
  };
  channel.publish(eventExchange, event.type, event.body, properties, onConfirm);
}

type PublishAll = (
  channel: amqp.ConfirmChannel,
  count: number,
  publishOne: (onConfirm?: () => void) => void,
) => Promise<void>;

/** Publishes with confirms and without a database; returns events per second. */
export async function publishBare({ amqpUrl }: BenchServers, count: number, publishAll: PublishAll): Promise<number> {
  const connection = await amqp.connect(amqpUrl, { noDelay: true });
  const channel = await connection.createConfirmChannel();
  const body = Buffer.from(samplePayload());
  const start = performance.now();
  await publishAll(channel, count, (onConfirm) => {
    publishEvent(
      channel,
      { messageId: randomUUID(), type: 'tasks.task.assigned', aggregateId: randomUUID(), body },
      onConfirm,
    );
  });
  const rate = (count / (performance.now() - start)) * 1000;
  await connection.close();
  return rate;
}

export const inBatches: PublishAll = async (channel, count, publishOne) => {
  for (let sent = 0; sent < count; sent += bareBatch) {
    for (let i = 0; i < bareBatch; i++) publishOne();
    await channel.waitForConfirms();
  }
};

export const pipelined: PublishAll = async (_channel, count, publishOne) => {
  await new Promise<void>((resolve) => {
    let sent = 0;
    let confirmed = 0;
    const onConfirm = (): void => {
      confirmed += 1;
      if (confirmed === count) resolve();
      else if (sent < count) send();
    };
    const send = (): void => {
      sent += 1;
      publishOne(onConfirm);
    };
    while (sent < bareInFlight) send();
  });
};

export function samplePayload(): string {
  return JSON.stringify({
    task_uuid: randomUUID(),
    timestamp: '2026-01-01T00:00:00.000000Z',
    actor: randomUUID(),
    assigned_to: randomUUID(),
  });
}
