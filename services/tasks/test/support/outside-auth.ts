import { eventExchange, type EventType } from '@taskwire/contracts';
import { createRabbit, publishOnlyTopology } from '@taskwire/rabbit';
import { createTelemetry } from '@taskwire/telemetry';
import { silent, waitFor } from '@taskwire/testing';
import type { FakeUser } from './fake-auth.ts';
import type { Person, TasksHarness } from './tasks-harness.ts';

/** Auth from Tasks' point of view: the responses of its REST API, and the events that it publishes. */
export type OutsideAuth = {
  created(name: string, role: FakeUser['role']): Promise<{ id: string }>;
  changed(person: Person, role: FakeUser['role']): Promise<void>;
  deleted(person: Person): Promise<void>;
  stop(): Promise<void>;
};

/** Publishes through the real broker, to every bound queue. */
export async function createOutsideAuth(harness: TasksHarness): Promise<OutsideAuth> {
  const telemetry = createTelemetry({ service: 'auth', stream: silent() });
  const rabbit = createRabbit({ url: harness.amqpUrl, name: 'auth', telemetry, topology: publishOnlyTopology });
  const publisher = rabbit.publisher();
  await rabbit.start();
  // events published before the queue is bound would be returned
  await waitFor(async () => (await fetch(`${harness.service.http.url()}/ready`)).status === 200);

  async function publish(type: EventType, user_id: string, timestamp: string): Promise<void> {
    const outcome = await publisher.publish({
      messageId: crypto.randomUUID(),
      routingKey: type,
      body: Buffer.from(JSON.stringify({ user_id, timestamp })),
      headers: { schema_version: 1, aggregate_id: user_id },
      timestamp: Math.floor(Date.now() / 1000),
      appId: 'auth',
    });
    if (outcome !== 'confirmed') throw new Error(`${type} on ${eventExchange} was ${outcome}`);
  }

  return {
    async created(name, role) {
      const id = crypto.randomUUID();
      harness.auth.users.set(id, { id, name, role, version: 0, is_deleted: false });
      await publish('auth.user.created', id, harness.auth.change(id, {}));
      return { id };
    },
    changed: async ({ id }, role) => await publish('auth.user.changed', id, harness.auth.change(id, { role })),
    deleted: async ({ id }) => await publish('auth.user.deleted', id, harness.auth.change(id, { is_deleted: true })),
    stop: async () => await rabbit.stop(),
  };
}
