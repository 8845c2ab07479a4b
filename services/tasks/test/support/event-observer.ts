import { events, eventExchange, type EventType } from '@taskwire/contracts';
import { createRabbit, type Delivery } from '@taskwire/rabbit';
import { createTelemetry } from '@taskwire/telemetry';
import { silent, waitFor } from '@taskwire/testing';

export type SeenEvent = { type: EventType; payload: Record<string, unknown>; delivery: Delivery };

export type EventObserver = {
  /** The events published about a task so far, in order of arrival. */
  about(taskId: string): SeenEvent[];
  /** Waits until exactly these events were published about a task. Types have no prefix. */
  expectAbout(taskId: string, types: string[]): Promise<SeenEvent[]>;
  stop(): Promise<void>;
};

/** Observes all events of Tasks through a separate queue. */
export async function observeEvents(amqpUrl: string): Promise<EventObserver> {
  const seen: SeenEvent[] = [];
  const queue = 'observer';
  const rabbit = createRabbit({
    url: amqpUrl,
    name: queue,
    telemetry: createTelemetry({ service: queue, stream: silent() }),
    topology: async (channel) => {
      await channel.assertExchange(eventExchange, 'topic', { durable: true });
      await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
      await channel.bindQueue(queue, eventExchange, 'tasks.#');
    },
  });
  rabbit.consume({
    queue,
    prefetch: 1,
    async onMessage(delivery) {
      const type = delivery.type as EventType;
      const payload: unknown = JSON.parse(delivery.body.toString());
      seen.push({ type, payload: events[type].strict().parse(payload), delivery });
    },
  });
  await rabbit.start();
  await waitFor(async () => {
    await rabbit.ping();
    return true;
  });

  const about = (taskId: string) => seen.filter((event) => event.payload['task_uuid'] === taskId);
  return {
    about,
    async expectAbout(taskId, types) {
      const expected = types.join(', ');
      const published = () =>
        about(taskId)
          .map((event) => event.type.replace('tasks.task.', ''))
          .join(', ');
      await waitFor(() => published() === expected, { what: `the events ${expected} of a task` }).catch(() => {
        throw new Error(`expected ${expected}, but ${published()} was published`);
      });
      return about(taskId);
    },
    stop: async () => await rabbit.stop(),
  };
}
