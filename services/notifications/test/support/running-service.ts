import { generateKeyPairSync, randomUUIDv7 } from 'node:crypto';
import type { EventPayload, EventType } from '@taskwire/contracts';
import { createRabbit, publishOnlyTopology, type Publisher } from '@taskwire/rabbit';
import { createTelemetry } from '@taskwire/telemetry';
import { silent, testBroker, testDatabase, waitFor, type TestBroker, type TestDatabase } from '@taskwire/testing';
import { entities } from '../../src/postgres/entities.ts';
import { env, type Env } from '../../src/env.ts';
import { migrations } from '../../src/migrations.ts';
import { wire } from '../../src/wire.ts';
import { startFakeServices, type FakeServices } from './fake-services.ts';

export type Answer = { status: number; headers: Headers; body: unknown };

/** A test's own database and broker, and the services around the service under test. */
export type Surroundings = {
  database: TestDatabase;
  broker: TestBroker;
  others: FakeServices;
  /** Publishes as the other services do, and waits until the broker has the message in the queue. */
  publish<T extends EventType>(type: T, payload: EventPayload<T>, messageId?: string): Promise<string>;
  /** Publishes a message that no service would send. */
  publishRaw(type: string, body: string, messageId?: string): Promise<string>;
  stop(): Promise<void>;
};

export async function startSurroundings(): Promise<Surroundings> {
  const [database, broker, others] = await Promise.all([
    testDatabase(migrations, { entities }),
    testBroker(),
    startFakeServices(),
  ]);
  const telemetry = createTelemetry({ service: 'publisher', stream: silent() });
  const rabbit = createRabbit({ url: broker.url(), name: 'publisher', telemetry, topology: publishOnlyTopology });
  const publisher: Publisher = rabbit.publisher();
  await rabbit.start();

  async function publishRaw(type: string, body: string, messageId: string = randomUUIDv7()): Promise<string> {
    // events of comments also name their task
    const [, aggregateId] =
      /"comment_uuid":"([^"]+)"/.exec(body) ?? /"(?:\w+_uuid|user_id)":"([^"]+)"/.exec(body) ?? [];
    // returned while the queue isn't bound yet: the service has never run, and is slow to start on a busy machine
    const confirmed = async () => {
      const result = await publisher.publish({
        messageId,
        routingKey: type,
        body: Buffer.from(body),
        headers: { schema_version: 1, ...(aggregateId === undefined ? {} : { aggregate_id: aggregateId }) },
        timestamp: Math.floor(Date.now() / 1000),
        appId: type.split('.')[0] ?? '',
      });
      return result === 'confirmed';
    };
    await waitFor(confirmed, { timeoutMs: 20_000, what: `a queue for ${type}` });
    return messageId;
  }

  return {
    database,
    broker,
    others,
    publishRaw,
    publish: async (type, payload, messageId) => await publishRaw(type, JSON.stringify(payload), messageId),
    async stop() {
      await rabbit.stop();
      await others.stop();
      await broker.drop();
      await database.drop();
    },
  };
}

export type RunningService = {
  parts: Awaited<ReturnType<typeof wire>>;
  url: string;
  call(
    method: string,
    path: string,
    options?: { token?: string; body?: string; headers?: Record<string, string> },
  ): Promise<Answer>;
  stop(): Promise<void>;
};

/** Starts the service as main.ts does, in this process. */
export async function startService(
  { database, broker, others }: Surroundings,
  overrides: Partial<Env> & { SMTP_URL: string },
  { verifyEveryMs = 30_000 }: { verifyEveryMs?: number } = {},
): Promise<RunningService> {
  const settings = env.parse({
    PORT: '0',
    DRAIN_MS: '0',
    DATABASE_URL: database.url,
    AMQP_URL: broker.url('notifications'),
    ISSUER: others.issuer,
    AUTH_INTERNAL_URL: others.authUrl,
    TASKS_INTERNAL_URL: others.tasksUrl,
    CLIENT_ID: 'notifications',
    CLIENT_PRIVATE_KEY: generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    SMTP_URL: overrides.SMTP_URL,
    MAIL_FROM: 'Taskwire <no-reply@taskwire.test>',
  });
  const telemetry = createTelemetry({ service: 'notifications', stream: silent() });
  const parts = await wire({ ...settings, ...overrides }, { telemetry, verifyEveryMs });
  for (const component of parts.components) await component.start();
  const url = parts.http.url();
  return {
    parts,
    url,
    async call(method, path, { token, body, headers } = {}) {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers },
        ...(body === undefined ? {} : { body }),
      });
      const text = await response.text();
      const isJson = /json/.test(response.headers.get('content-type') ?? '');
      return {
        status: response.status,
        headers: response.headers,
        body: isJson ? (JSON.parse(text) as unknown) : text,
      };
    },
    async stop() {
      for (const component of parts.components.toReversed()) await component.stop();
    },
  };
}
