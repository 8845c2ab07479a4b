import { connect } from 'amqplib';
import { patienceMs } from './until.ts';

export type SeenEvent = { key: string; payload: Record<string, unknown> };

export type EventWatch = {
  /** The first matching event, past or future. */
  next(key: string, matches: (payload: Record<string, unknown>) => boolean): Promise<SeenEvent>;
  close(): Promise<void>;
};

/** Subscribes to everything that the suite publishes, with a queue that is deleted when the connection closes. */
export async function watchEvents(amqpUrl: string, seen: (event: SeenEvent) => void): Promise<EventWatch> {
  const connection = await connect(amqpUrl);
  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.bindQueue(queue, 'taskwire.events', '#');
  const events: SeenEvent[] = [];
  const arrivals = new EventTarget();
  await channel.consume(
    queue,
    (message) => {
      if (message === null) return;
      const payload = JSON.parse(message.content.toString('utf8')) as Record<string, unknown>;
      const event = { key: message.fields.routingKey, payload };
      events.push(event);
      seen(event);
      arrivals.dispatchEvent(new Event('event'));
    },
    { noAck: true },
  );
  return {
    next(key, matches) {
      const find = () => events.find((event) => event.key === key && matches(event.payload));
      return new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => finish(() => reject(new Error(`No ${key} arrived within ${patienceMs} ms.`))),
          patienceMs,
        );
        const look = () => {
          const found = find();
          if (found !== undefined) finish(() => resolve(found));
        };
        const finish = (settle: () => void) => {
          clearTimeout(timer);
          arrivals.removeEventListener('event', look);
          settle();
        };
        arrivals.addEventListener('event', look);
        look();
      });
    },
    close: () => connection.close(),
  };
}
