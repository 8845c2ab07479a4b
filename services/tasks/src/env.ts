import { fields } from '@taskwire/env';
import { z } from 'zod';

/** The environment variables that migrations need. */
export const databaseEnv = z.object({ DATABASE_URL: fields.postgresUrl });

export const env = databaseEnv.extend({
  HOST: z.string().default('127.0.0.1'),
  PORT: fields.port.default(3002),
  /**
   * A request holds a connection for a few milliseconds, so ten connections suffice for the thousands of requests per
   * second that one process serves.
   */
  DATABASE_POOL_SIZE: fields.integer(2, 200).default(10),
  AMQP_URL: fields.amqpUrl,
  /** Queried with the credentials of AMQP_URL for facts that AMQP doesn't expose: queue policies and lost bindings. */
  RABBITMQ_MANAGEMENT_URL: fields.httpUrl.optional(),
  EVENT_LOGINS: fields.eventLogins,
  EVENTS_WITHOUT_USER_ID: fields.eventsWithoutUserId,
  LOG_LEVEL: fields.logLevel.default('info'),
  ISSUER: fields.httpUrl.describe('the issuer of access tokens, such as https://taskwire.example.com/oidc'),
  AUTH_INTERNAL_URL: fields.httpUrl.describe('where Auth serves other services, such as http://127.0.0.1:3001'),
  CLIENT_ID: z.string().min(1).describe('the id of this service as a client of Auth'),
  /** Auth holds the public key (OIDC_CLIENTS). */
  CLIENT_PRIVATE_KEY: fields.privateKey,
  TRUSTED_PROXIES: z
    .string()
    .default('loopback')
    .transform((list) => list.split(',').map((proxy) => proxy.trim())),
  /**
   * Whether an account with an unverified address can access only its own data and is no performer. All services have
   * this setting and must use the same value.
   */
  AUTH_REQUIRE_VERIFIED_EMAIL: fields.flag.default(true),
  /** Kubernetes grants 30 s, docker compose 10 s. */
  SHUTDOWN_TIMEOUT_MS: fields.milliseconds.default(8_000),
  /** api: serves requests; worker: relays and consumes events, reassigns tasks, purges; all: both. */
  PROCESS_ROLE: z.enum(['all', 'api', 'worker']).default('all'),
  /**
   * Per user and process, as a burst or spread out. Allows an import of a thousand tasks, but stops an endless loop.
   */
  TASK_CREATIONS_PER_MINUTE: fields.integer(1, 1_000_000).default(1_200),
  /**
   * Per user and process. A shuffle locks and rewrites every open task, which takes seconds with 100,000 open tasks.
   */
  SHUFFLES_PER_MINUTE: fields.integer(1, 1_000_000).default(20),
});

export type Env = z.output<typeof env>;
