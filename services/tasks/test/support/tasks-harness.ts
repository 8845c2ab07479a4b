import { generateKeyPairSync } from 'node:crypto';
import { expect } from 'chai';
import type { Role } from '@taskwire/contracts';
import { readEnv } from '@taskwire/env';
import { createTelemetry } from '@taskwire/telemetry';
import type { DirectoryUser } from '@taskwire/user-directory';
import { silent, testBroker, testDatabase, waitFor, type TestDatabase } from '@taskwire/testing';
import { env } from '../../src/env.ts';
import { migrations } from '../../src/migrations.ts';
import { wire } from '../../src/wire.ts';
import { call, type Activity, type Answer, type Call, type Task } from './api.ts';
import { startFakeAuth, type FakeAuth } from './fake-auth.ts';
import { observeEvents, type EventObserver } from './event-observer.ts';

export type Person = { id: string; name: string; role: Role; token: string };
export type Service = Awaited<ReturnType<typeof wire>>;

/** The wired service on a free port, with its own database and broker, and a fake Auth. */
export type TasksHarness = {
  service: Service;
  auth: FakeAuth;
  database: TestDatabase;
  amqpUrl: string;
  observer: EventObserver;
  call(operation: Parameters<typeof call>[1], given: Call): Promise<Answer>;
  /** Adds a user to Auth and to the user directory. */
  join(name: string, role: Role, more?: { emailVerified: boolean }): Promise<Person>;
  /** Changes a user's role in Auth, or deletes the user; resolves when the directory has received the change. */
  become(person: Person, role: Role | 'deleted'): Promise<void>;
  /** Changes whether a user's address is verified; resolves when the directory has received the change. */
  verify(person: Person, verified: boolean): Promise<void>;
  /** Renames a user in Auth; resolves when the directory has received the new name. */
  rename(person: Person, name: string): Promise<void>;
  createTask(person: Person, body?: Record<string, unknown>): Promise<Task>;
  assign(actor: Person, task: { id: string }, performer: Person): Promise<Task>;
  transition(actor: Person, task: { id: string }, state: string): Promise<Task>;
  read(person: Person, task: { id: string }): Promise<Task>;
  activity(person: Person, task: { id: string }): Promise<Activity[]>;
  /** The environment of another process on the same database and broker. */
  environment(settings?: Record<string, string>): Record<string, string>;
  /** Starts another instance on the same database and broker. */
  replica(settings?: Record<string, string>): Promise<Service>;
  stop(): Promise<void>;
};

/** The harness with a manager and two performers. */
export async function tasksTeam(
  settings: Record<string, string> = {},
): Promise<{ harness: TasksHarness; manager: Person; ann: Person; ben: Person }> {
  const harness = await tasksHarness(settings);
  return {
    harness,
    manager: await harness.join('Mona', 'manager'),
    ann: await harness.join('Ann', 'member'),
    ben: await harness.join('Ben', 'member'),
  };
}

export async function tasksHarness(settings: Record<string, string> = {}): Promise<TasksHarness> {
  const [database, broker] = await Promise.all([testDatabase(migrations), testBroker()]);
  const auth = await startFakeAuth();
  const observer = await observeEvents(broker.url());
  const started: Service[] = [];

  function environment(more: Record<string, string> = {}): Record<string, string> {
    return {
      PORT: '0',
      DRAIN_MS: '0',
      DATABASE_URL: database.url,
      AMQP_URL: broker.url('tasks'),
      ISSUER: auth.issuer,
      AUTH_INTERNAL_URL: auth.url,
      CLIENT_ID: 'tasks',
      CLIENT_PRIVATE_KEY: generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      ...more,
    };
  }

  async function replica(more: Record<string, string> = {}): Promise<Service> {
    const service = await wire(readEnv(env, environment(more)), {
      telemetry: createTelemetry({ service: 'tasks', stream: silent() }),
    });
    for (const component of service.components) await component.start();
    started.push(service);
    return service;
  }

  const service = await replica(settings);
  const baseUrl = service.http.url();

  async function ask(operation: Parameters<typeof call>[1], given: Call): Promise<unknown> {
    const answer = await call(baseUrl, operation, given);
    expect(answer.status, JSON.stringify(answer.body)).to.be.below(300);
    return answer.body;
  }

  async function changeUser(
    { id, name }: Person,
    change: Parameters<FakeAuth['change']>[1],
    isThere: (held: DirectoryUser) => boolean,
  ): Promise<void> {
    const timestamp = auth.change(id, change);
    const type = change.is_deleted === true ? 'auth.user.deleted' : 'auth.user.changed';
    const event = { user_id: id, timestamp };
    await database.db.transaction(async (tx) => await service.directory.record(tx, type, event, 1));
    await waitFor(
      async () => {
        await service.directory.refresher.tick();
        const held = await service.directory.get(id);
        return held !== undefined && isThere(held);
      },
      { what: `the directory to have ${JSON.stringify(change)} for ${name}` },
    );
  }

  return {
    service,
    auth,
    database,
    amqpUrl: broker.url(),
    observer,
    replica,
    environment,
    call: async (operation, given) => await call(baseUrl, operation, given),

    async join(name, role, { emailVerified } = { emailVerified: true }) {
      const id = crypto.randomUUID();
      auth.users.set(id, { id, name, role, version: 1, is_deleted: false, email_verified: emailVerified });
      expect(await service.directory.readThrough(id)).to.have.property('kind', 'ok');
      return { id, name, role, token: await auth.userToken({ id, role }, { emailVerified }) };
    },

    async become(person, change) {
      const isDeleted = change === 'deleted';
      await changeUser(person, isDeleted ? { is_deleted: true } : { role: change }, (held) =>
        isDeleted ? held.isDeleted : held.role === change,
      );
    },

    async verify(person, verified) {
      await changeUser(person, { email_verified: verified }, (held) => held.emailVerified === verified);
    },

    async rename(person, name) {
      await changeUser(person, { name }, (held) => held.name === name);
    },

    createTask: async ({ token }, body = {}) =>
      (await ask('createTask', { token, body: { title: 'Paint the fence', ...body } })) as Task,
    assign: async ({ token }, { id }, performer) =>
      (await ask('assignTask', { token, params: { id }, body: { assignee_id: performer.id } })) as Task,
    transition: async ({ token }, { id }, state) =>
      (await ask('transitionTask', { token, params: { id }, body: { state } })) as Task,
    read: async ({ token }, { id }) => (await ask('getTask', { token, params: { id } })) as Task,
    activity: async ({ token }, { id }) =>
      ((await ask('listActivity', { token, params: { id } })) as { data: Activity[] }).data,

    async stop() {
      for (const one of started) for (const component of one.components.toReversed()) await component.stop();
      await observer.stop();
      await auth.stop();
      await Promise.all([database.drop(), broker.drop()]);
    },
  };
}
