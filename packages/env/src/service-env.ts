import { z } from 'zod';
import * as fields from './fields.ts';
import { observabilityFields } from './observability-env.ts';

/** The environment of a program that uses only the database, such as migrations. */
export const databaseEnv = z.object({ DATABASE_URL: fields.postgresUrl });

/** The variables that every service has, in addition to a port, a pool size and an issuer, whose defaults differ between services. */
export const serviceFields = {
  ...observabilityFields,
  HOST: z.string().default('127.0.0.1'),
  AMQP_URL: fields.amqpUrl,
  EVENT_LOGINS: fields.eventLogins,
  /** The number of queues of each service; events are divided among them by aggregate, as recorded by `taskwire partitions` (docs/scaling.md). */
  EVENT_PARTITIONS: fields.integer(1, 64).default(1),
  /** The partitions that this process relays and consumes, such as 0,1. Default: all. Divides the partitions among machines. */
  EVENT_PARTITIONS_SERVED: fields.partitionNumbers.optional(),
  LOG_LEVEL: fields.logLevel.default('info'),
  TRUSTED_PROXIES: z
    .string()
    .default('loopback')
    .transform((list) => list.split(',').map((proxy) => proxy.trim())),
  /**
   * Whether an account with an unverified address can access only its own data, and is not a performer. Every service has this setting, and all need
   * the same value.
   */
  AUTH_REQUIRE_VERIFIED_EMAIL: fields.flag.default(true),
  /** Kubernetes grants 30 s, docker compose 10 s. */
  SHUTDOWN_TIMEOUT_MS: fields.milliseconds.default(8_000),
  /**
   * How long a stopping process still serves requests on connections that callers keep open. A second is many times the time that a request needs to
   * arrive.
   */
  DRAIN_MS: fields.integer(0, 60_000).default(1_000),
  /** api: serves requests; worker: relays and consumes events, and does scheduled work; all: combines both. */
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
  /** How long replayed and dropped dead letters are kept: longer than the investigation of an incident takes. */
  DEAD_LETTER_DAYS: fields.integer(1, 3_650).default(90),
  /** A year, plus the time for auditing that year. */
  DEAD_LETTER_AUDIT_DAYS: fields.integer(1, 3_650).default(400),
};

const serviceEnv = databaseEnv.extend(serviceFields);
export type ServiceEnv = z.output<typeof serviceEnv>;

const clientEnv = z.object(clientFields);
export type ClientEnv = z.output<typeof clientEnv>;
