import { createHash, randomBytes } from 'node:crypto';
import { Writable } from 'node:stream';
import { readEnv } from '@taskwire/env';
import { Registry } from 'prom-client';
import { createTelemetry } from '@taskwire/telemetry';
import { testBroker, testDatabase, type TestBroker, type TestDatabase } from '@taskwire/testing';
import { entities } from '../../src/postgres/entities.ts';
import { systemContext } from '../../src/domain/audit-context.ts';
import { env } from '../../src/env.ts';
import { migrations } from '../../src/migrations.ts';
import { hashPassword } from '../../src/passwords/argon2id.ts';
import { createPasswords } from '../../src/passwords/passwords.ts';
import { createUsers } from '../../src/postgres/users.ts';
import { wire } from '../../src/wire.ts';
import { createApi, type Api } from './api.ts';

type Overrides = Parameters<typeof wire>[1];
export type Wired = Awaited<ReturnType<typeof wire>>;

/** The wired service on a free port, with its own database and broker. */
export type AuthHarness = {
  database: TestDatabase;
  broker: TestBroker;
  service: Wired;
  api: Api;
  /** The environment with which the service was wired. */
  settings: Record<string, string>;
  /** Every logged line. */
  logLines: string[];
  /** Starts another replica on the same database and broker. */
  replica(settings?: Record<string, string>, overrides?: Overrides): Promise<{ service: Wired; api: Api }>;
  stop(): Promise<void>;
};

/** A client with a secret, as in the configuration, and the secret itself. */
export function withSecret(client_id: string, client_secret: string, grants: { audience: string; scopes: string[] }[]) {
  const secret_hash = createHash('sha256').update(client_secret).digest('base64url');
  return { client_id, client_secret, settings: { client_id, secret_hash, grants } };
}

export const tasksClient = withSecret('tasks', 'a-secret-of-tasks-with-32-characters', [
  { audience: 'urn:taskwire:auth', scopes: ['users:read'] },
]);
/** Contains every character that HTTP Basic requires to be encoded, and has two audiences. */
export const notificationsClient = withSecret('notifications+co:%41', 'p%c+ a:n&d=-with-more-than-32-characters', [
  { audience: 'urn:taskwire:auth', scopes: ['users:read', 'account_links:read'] },
  { audience: 'urn:taskwire:tasks', scopes: ['tasks:read'] },
]);
/** May request a token from Auth, but no scope. */
export const scopelessClient = withSecret('scopeless', 'a-secret-of-scopeless-with-32-characters', [
  { audience: 'urn:taskwire:auth', scopes: [] },
]);
const clients = [tasksClient, notificationsClient, scopelessClient].map(({ settings }) => settings);

export async function authHarness(
  settings: Record<string, string> = {},
  overrides: Overrides = {},
): Promise<AuthHarness> {
  const [database, broker] = await Promise.all([testDatabase(migrations, { entities }), testBroker()]);
  const base = {
    PORT: '0',
    DRAIN_MS: '0',
    DATABASE_URL: database.url,
    AMQP_URL: broker.url('auth'),
    KEY_ENCRYPTION_SECRET: randomBytes(32).toString('base64'),
    OIDC_CLIENTS: JSON.stringify(clients),
    LOG_LEVEL: 'debug',
    // as npm start configures the service; registration and verification have separate tests
    REGISTRATION: 'open',
    AUTH_REQUIRE_VERIFIED_EMAIL: 'false',
    ...settings,
  };
  const logLines: string[] = [];
  const started: Wired[] = [];

  async function start(more: Record<string, string> = {}, replaced: Overrides = {}) {
    const stream = new Writable({
      write(chunk: Buffer, _encoding, done) {
        logLines.push(chunk.toString());
        done();
      },
    });
    const telemetry = createTelemetry({ service: 'auth', level: 'debug', stream });
    const service = await wire(readEnv(env, { ...base, ...more }), { telemetry, ...overrides, ...replaced });
    for (const component of service.components) await component.start();
    started.push(service);
    return { service, api: createApi(service.http.url()) };
  }

  const first = await start();
  return {
    ...first,
    database,
    broker,
    settings: base,
    logLines,
    replica: start,
    async stop() {
      for (const service of started) {
        for (const component of service.components.toReversed()) await component.stop();
      }
      await Promise.all([database.drop(), broker.drop()]);
    },
  };
}

/** Most tests don't depend on the cost of a hash. */
const cheap = { memory: 64, passes: 1, parallelism: 1 };

/** Argon2id at almost no cost. */
export function cheapPasswords() {
  return createPasswords({ cost: cheap, concurrency: 2, queue: 1_000, metrics: new Registry() });
}

/** The password of every user created by `addUser`. */
export const password = 'correct horse battery';

/** Lifetimes of links created by tests without the service, in seconds. */
export const linkLifetimes = {
  verify_email: 86_400,
  reset_password: 3_600,
  confirm_email: 86_400,
  undo_email: 604_800,
};

let people = 0;

/** Adds a user directly to the tables (with the service's own code, and therefore with an event), as the command line does. */
export async function addUser(
  harness: AuthHarness,
  role: 'admin' | 'manager' | 'member',
  more: { email?: string; name?: string; emailVerified?: boolean } = {},
) {
  const number = (people += 1);
  const users = createUsers(harness.database.db, { lifetimes: linkLifetimes, restoreDays: 7 });
  const passwordHash = await hashPassword(password, cheap);
  const user = await users.create(
    {
      email: `${role}-${number}@example.org`,
      name: `${role} ${number}`,
      role,
      emailVerified: false,
      passwordHash,
      ...more,
    },
    { ...systemContext, action: 'user.create' },
  );
  if (typeof user === 'string') throw new Error(`the user was not created: ${user}`);
  return user;
}

/** Logs a user in. */
export async function logIn(harness: AuthHarness, email: string) {
  const answer = await harness.api.call('login', { body: { email, password } });
  if (answer.status !== 200) throw new Error(`log-in answered ${answer.status}: ${answer.text}`);
  return answer.body as { access_token: string; refresh_token: string; user: { id: string; version: number } };
}

/** Creates a user with this role and returns them with their token. */
export async function loggedIn(harness: AuthHarness, role: 'admin' | 'manager' | 'member') {
  const user = await addUser(harness, role);
  const session = await logIn(harness, user.email);
  return { ...user, token: session.access_token, refreshToken: session.refresh_token };
}

/** A machine-to-machine token with users:read. */
export async function serviceToken(harness: AuthHarness, client = tasksClient): Promise<string> {
  const answer = await harness.api.form(
    '/oidc/token',
    { grant_type: 'client_credentials', resource: 'urn:taskwire:auth' },
    basic(client.client_id, client.client_secret),
  );
  return (answer.body as { access_token: string }).access_token;
}

/** HTTP Basic as RFC 6749 section 2.3.1 specifies it: form-encoded, joined, base64. */
export function basic(id: string, secret: string): { authorization: string } {
  const encode = (text: string) => new URLSearchParams({ '': text }).toString().slice(1);
  return { authorization: `Basic ${Buffer.from(`${encode(id)}:${encode(secret)}`).toString('base64')}` };
}
