import { z } from 'zod';
import * as fields from './fields.ts';

/** The environment of a program that uses the database alone, such as migrations. */
export const databaseEnv = z.object({ DATABASE_URL: fields.postgresUrl });

/** The variables that every service has, beside a port, a pool size and an issuer with defaults of its own. */
export const serviceFields = {
  HOST: z.string().default('127.0.0.1'),
  AMQP_URL: fields.amqpUrl,
  EVENT_LOGINS: fields.eventLogins,
  LOG_LEVEL: fields.logLevel.default('info'),
  TRUSTED_PROXIES: z
    .string()
    .default('loopback')
    .transform((list) => list.split(',').map((proxy) => proxy.trim())),
  /**
   * Whether an account with an unverified address can access only its own data, and is not a performer. All services have this setting and need the
   * same value.
   */
  AUTH_REQUIRE_VERIFIED_EMAIL: fields.flag.default(true),
  /** Kubernetes grants 30 s, docker compose 10 s. */
  SHUTDOWN_TIMEOUT_MS: fields.milliseconds.default(8_000),
  /** api: serves requests; worker: relays and consumes events, and does scheduled work; all: both. */
  PROCESS_ROLE: z.enum(['all', 'api', 'worker']).default('all'),
};

/** The variables of a service that calls others. */
export const clientFields = {
  CLIENT_ID: z.string().min(1).describe('the id of this service as a client of Auth'),
  /** Auth holds the public key (OIDC_CLIENTS). */
  CLIENT_PRIVATE_KEY: fields.privateKey,
};

/** The variables of a service that consumes events. */
export const consumerFields = {
  /** Queried with the credentials of AMQP_URL for facts that AMQP doesn't expose: queue policies and lost bindings. */
  RABBITMQ_MANAGEMENT_URL: fields.httpUrl.optional(),
  EVENTS_WITHOUT_USER_ID: fields.eventsWithoutUserId,
  /** Dead letters that were replayed or dropped: longer than an incident is investigated. */
  DEAD_LETTER_DAYS: fields.integer(1, 3_650).default(90),
  /** A year, and the time that its audit takes. */
  DEAD_LETTER_AUDIT_DAYS: fields.integer(1, 3_650).default(400),
};

const serviceEnv = databaseEnv.extend(serviceFields);
export type ServiceEnv = z.output<typeof serviceEnv>;

const clientEnv = z.object(clientFields);
export type ClientEnv = z.output<typeof clientEnv>;
