import { fields, observabilityEnv, readEnv } from '@taskwire/env';
import { z } from 'zod';
import type { Secrets, ServiceName } from './secrets.ts';
import { serviceClients, type CallingService } from './service-clients.ts';

/** Addresses and secrets used to wire the services of one suite. */
export type Wiring = {
  secrets: Secrets;
  publicUrl: string;
  ports: Record<ServiceName, number>;
  databaseUrl: (service: ServiceName) => string;
  amqpUrl: (service: ServiceName) => string;
  /** The management API of the broker, without a login; undefined if unknown. */
  managementUrl: string | undefined;
  smtpUrl: string;
  logLevel: string;
};

// the launcher kills a service half a second after this; the whole suite must stop within 10 s
export const shutdownTimeoutMs = 4500;

/** Settings that an installation must choose carefully, with values for development, which do not restrict access. */
export const developmentSettings = { REGISTRATION: 'open', AUTH_REQUIRE_VERIFIED_EMAIL: 'off' } as const;

/** The usual origins of front ends' development servers (Vite; Next.js and others). */
const developmentOrigins = 'http://localhost:5173,http://localhost:3000';

const originsEnv = z.object({
  CORS_ORIGINS: fields.origins.prefault(developmentOrigins),
});

/**
 * Origins of pages whose scripts may call the API: those of `CORS_ORIGINS`, or the usual ones for development.
 * @throws EnvError for an invalid origin.
 */
export function chosenOrigins(env: NodeJS.ProcessEnv): string[] {
  return readEnv(originsEnv, env).CORS_ORIGINS;
}

/** Limits for each user's expensive operations; the services' defaults apply unless the environment of `npm start` sets them. */
const userLimits = ['TASK_CREATIONS_PER_MINUTE', 'SHUFFLES_PER_MINUTE', 'COMMENTS_PER_MINUTE'];

/** The retention periods of docs/retention.md; the services' defaults apply unless the environment of `npm start` sets them. */
const retentionPeriods = [
  ...['AUDIT_ENTRY_DAYS', 'AUDIT_ORIGIN_DAYS', 'ERASE_DELETED_USERS_DAYS'],
  ...[
    'DELETED_TASK_DAYS',
    'SETTLED_JOB_DAYS',
    'DEAD_JOB_DAYS',
    'NOTIFICATION_DAYS',
    'DEAD_LETTER_DAYS',
    'DEAD_LETTER_AUDIT_DAYS',
  ],
];

/** The number of partitions of events, as recorded by `taskwire partitions`. */
const eventPartitions = 'EVENT_PARTITIONS';

/** Where traces and error reports are sent; nowhere unless the environment of `npm start` sets it. */
const observability = Object.keys(observabilityEnv.shape);

/** The development settings, overridden by the environment of `npm start`. */
export function chosenSettings(env: NodeJS.ProcessEnv): Record<string, string> {
  const names = [
    ...Object.keys(developmentSettings),
    'REGISTRATION_DOMAINS',
    eventPartitions,
    ...userLimits,
    ...retentionPeriods,
    ...observability,
  ];
  const given = names.flatMap((name) => (env[name] ? [[name, env[name]]] : []));
  return { ...developmentSettings, ...(Object.fromEntries(given) as Record<string, string>) };
}

/** The environment of each service; its src/env.ts documents the names. */
export function serviceEnv(service: ServiceName, w: Wiring): Record<string, string> {
  const internalUrl = (name: ServiceName) => `http://127.0.0.1:${w.ports[name]}`;
  const everyone = {
    HOST: '127.0.0.1',
    PORT: String(w.ports[service]),
    DATABASE_URL: w.databaseUrl(service),
    AMQP_URL: w.amqpUrl(service),
    ...(w.managementUrl === undefined ? {} : { RABBITMQ_MANAGEMENT_URL: w.managementUrl }),
    ISSUER: `${w.publicUrl}/oidc`,
    PUBLIC_URL: w.publicUrl,
    LOG_LEVEL: w.logLevel,
    SHUTDOWN_TIMEOUT_MS: String(shutdownTimeoutMs),
    ...developmentSettings,
  };
  const caller = (name: CallingService) => ({
    AUTH_INTERNAL_URL: internalUrl('auth'),
    CLIENT_ID: name,
    CLIENT_PRIVATE_KEY: w.secrets.clientKeys[name],
  });
  switch (service) {
    case 'auth':
      return {
        ...everyone,
        KEY_ENCRYPTION_SECRET: w.secrets.keyEncryption,
        OIDC_CLIENTS: JSON.stringify(serviceClients(w.secrets.clientKeys)),
      };
    case 'tasks':
      return { ...everyone, ...caller('tasks') };
    case 'notifications':
      return {
        ...everyone,
        ...caller('notifications'),
        TASKS_INTERNAL_URL: internalUrl('tasks'),
        SMTP_URL: w.smtpUrl,
        MAIL_FROM: 'Taskwire <no-reply@taskwire.test>',
      };
  }
}
