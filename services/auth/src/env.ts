import { fields } from '@taskwire/env';
import { z } from 'zod';

const secret32 = z
  .string()
  .refine(
    (text) => /^[A-Za-z0-9+/]{43}=$/.test(text),
    'must be 32 random bytes in base64, as from: openssl rand -base64 32',
  )
  .transform((text) => Buffer.from(text, 'base64'))
  .describe('32 random bytes in base64 that the signing keys are sealed with, as from: openssl rand -base64 32');

const m2mClients = fields
  .json(
    z
      .array(
        z.strictObject({
          client_id: z.string().regex(/^[\x21-\x7e]{1,100}$/, 'must be visible ASCII characters'),
          // guessing is not limited, so secrets must be beyond it: 128 bits in hex
          client_secret: z.string().min(32, 'must have 32 characters or more'),
          grants: z
            .array(
              z.strictObject({
                audience: z.string().startsWith('urn:taskwire:'),
                scopes: z.array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'must be a scope of RFC 6749')),
              }),
            )
            .min(1),
        }),
      )
      .refine((list) => new Set(list.map((client) => client.client_id)).size === list.length, {
        message: 'must not name a client twice',
      }),
  )
  .describe('JSON: [{"client_id","client_secret","grants":[{"audience","scopes":[]}]}]');

function count(most: number) {
  return fields.integer(1, most);
}

/** What the command line needs of the environment. */
export const databaseEnv = z.object({ DATABASE_URL: fields.postgresUrl });

export const env = databaseEnv.extend({
  HOST: z.string().default('127.0.0.1'),
  PORT: fields.port.default(3001),
  DATABASE_POOL_SIZE: count(200).default(10),
  AMQP_URL: fields.amqpUrl,
  LOG_LEVEL: fields.logLevel.default('info'),
  /** Written into every token, and checked by every service. */
  ISSUER: fields.httpUrl.default('http://localhost:8080/oidc'),
  TRUSTED_PROXIES: z
    .string()
    .default('loopback')
    .transform((list) => list.split(',').map((proxy) => proxy.trim())),
  SHUTDOWN_TIMEOUT_MS: fields.milliseconds.default(8_000),
  /** api: serves requests; worker: relays events and purges what expired; all: both. */
  PROCESS_ROLE: z.enum(['all', 'api', 'worker']).default('all'),

  KEY_ENCRYPTION_SECRET: secret32,
  M2M_CLIENTS: m2mClients.default([]),
  AUTH_REQUIRE_VERIFIED_EMAIL: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true'),

  /** Services learn of lost access from events; this bounds what a service that hears nothing still accepts. */
  ACCESS_TOKEN_SECONDS: fields.integer(60, 600).default(600),
  /** A person who comes back within this time does not have to log in again, up to the session's end. */
  REFRESH_TOKEN_DAYS: count(365).default(14),
  SESSION_DAYS: count(365).default(90),

  /** Each running hash keeps one core busy for some 30 ms and holds 19 MiB; libuv's other two threads stay free for DNS and files. */
  PASSWORD_HASH_CONCURRENCY: count(64).default(2),
  /** At 2 x 30 hashes a second the last in the queue waits for some 3 s; a longer wait is better answered with 503. */
  PASSWORD_HASH_QUEUE: count(10_000).default(200),

  /** Guessing at one account: ten a quarter of an hour are 350,000 a year, too few for a password that is not trivial. */
  LOGIN_FAILURES_PER_ACCOUNT_AND_IP: count(1_000_000).default(10),
  /** Guessing at many accounts; generous, since an office may be behind one address. */
  LOGIN_FAILURES_PER_IP: count(1_000_000).default(300),
  LOGIN_FAILURE_WINDOW_MS: fields.milliseconds.default(900_000),
  /** Generous, so that demos and tests may register their people; a public installation wants less. */
  REGISTRATIONS_PER_IP: count(1_000_000).default(2_000),
  REGISTRATION_WINDOW_MS: fields.milliseconds.default(3_600_000),
});

export type Env = z.output<typeof env>;
