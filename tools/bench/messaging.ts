import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { createInbox, defineHandler, done, inboxMigrations, type Inbox } from '@taskwire/inbox';
import { outboxMigrations } from '@taskwire/outbox';
import { createDatabase, migrate, query, type Database } from '@taskwire/postgres';
import { createRabbit, serviceTopology, type Rabbit } from '@taskwire/rabbit';
import type { Telemetry } from '@taskwire/telemetry';
import { benchTelemetry } from './bench-telemetry.ts';
import type { BenchServers } from './servers.ts';

/** The event of all messaging benchmarks. */
export const benchEvent = 'tasks.task.changed';
/** The service that owns it: an inbox dead-letters the event when any other service has sent it. */
export const benchSender = 'tasks';
export const benchQueue = 'bench.events';

const payload = z.object({ task_uuid: z.string(), sent_at: z.number() });

/** A payload as large as a real one; `sent_at` is this process's monotonic clock. */
export function benchPayload(): z.output<typeof payload> {
  return { task_uuid: randomUUID(), sent_at: performance.now() };
}

/** A database with outbox, inbox and a table for effects, and a broker connection with a queue for the events. */
export type MessagingBench = { db: Database; rabbit: Rabbit; telemetry: Telemetry; stop(): Promise<void> };

export async function createMessagingBench(servers: BenchServers): Promise<MessagingBench> {
  const telemetry = benchTelemetry();
  await migrate(servers.databaseUrl, [outboxMigrations, inboxMigrations]);
  const db = await createDatabase({ url: servers.databaseUrl, poolSize: 10, applicationName: 'bench', telemetry });
  await query(
    db.pool,
    'CREATE TABLE IF NOT EXISTS effects (id uuid PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())',
  );
  const topology = serviceTopology({ service: 'bench', bindings: ['tasks.#'] });
  const rabbit = createRabbit({ url: servers.amqpUrl, name: 'bench', telemetry, topology });
  return {
    db,
    rabbit,
    telemetry,
    async stop() {
      await rabbit.stop();
      await db.close();
    },
  };
}

/** Creates an inbox whose handler writes one row and calls a function for each message. */
export function createBenchInbox(
  { db, rabbit, telemetry }: MessagingBench,
  onHandled: (sentAt: number) => void,
): Inbox {
  const handler = defineHandler({
    name: 'bench',
    type: 'tasks.#',
    schema: payload,
    order: 'through_retry',
    handle: async (event) => {
      onHandled(event.sent_at);
      return done(async (tx) => {
        await query(tx, { name: 'bench effect', text: 'INSERT INTO effects (id) VALUES (gen_random_uuid())' });
      });
    },
  });
  return createInbox({ db, rabbit, queue: benchQueue, handlers: [handler], telemetry });
}

/** Resolves when the broker connection works. */
export async function connected(rabbit: Rabbit): Promise<void> {
  while ((await rabbit.ping().catch(() => 'down')) === 'down') await new Promise((resolve) => setTimeout(resolve, 20));
}
