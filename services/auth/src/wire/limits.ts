import type { Database } from '@taskwire/postgres';
import type { Registry } from 'prom-client';
import { deviceCookies as createDeviceProofs } from '../app/device-cookies.ts';
import type { Env } from '../env.ts';
import { owaspCost } from '../passwords/argon2id.ts';
import { createGate, watchGates } from '../passwords/gate.ts';
import { createPasswords } from '../passwords/passwords.ts';
import { createKnownNetworks } from '../postgres/known-networks.ts';
import { createLimits } from '../postgres/limits.ts';
import { derivedKey } from '../tokens/derived-keys.ts';

/** The share of database connections used for look-ups; the others serve requests whose turn has come, and all other work. */
const lookUpShare = 0.3;
/**
 * The maximum number of waiting look-ups. Each takes 1 to 2 ms on one of three connections, so the last one waits for about half a second; for longer
 * waits, 503 is the better response.
 */
const waitingLookUps = 1_000;

/** Limits on attempts, and the devices and networks that accounts know. */
export function wireLimits(env: Env, pool: Database['pool'], metrics: Registry) {
  const secret = env.KEY_ENCRYPTION_SECRET;
  const knownSeconds = env.LOGIN_KNOWN_DAYS * 86_400;
  const deviceCookies = createDeviceProofs({
    key: derivedKey(secret, 'devices'),
    lifetimeSeconds: knownSeconds,
    secure: env.ISSUER.startsWith('https:'),
  });
  const lookUps = createGate({
    concurrency: Math.max(1, Math.floor(env.DATABASE_POOL_SIZE * lookUpShare)),
    queue: waitingLookUps,
  });
  const help = 'Accounts that are looked up for a log-in, by state: running, or waiting for their turn.';
  watchGates(metrics, { name: 'login_lookups', help }, { running: lookUps, waiting: [lookUps] });
  const limits = createLimits({
    pool,
    key: derivedKey(secret, 'rate limits'),
    deviceCookies,
    knownNetworks: createKnownNetworks(pool, derivedKey(secret, 'known networks'), knownSeconds),
    lookUp: async (turn, work) => await lookUps.run(work, turn),
    settings: {
      failuresPerAccountAndIp: env.LOGIN_FAILURES_PER_ACCOUNT_AND_IP,
      failuresPerIp: env.LOGIN_FAILURES_PER_IP,
      failureWindowMs: env.LOGIN_FAILURE_WINDOW_MS,
      failuresPerAccount: env.LOGIN_FAILURES_PER_ACCOUNT,
      accountWindowMs: env.LOGIN_ACCOUNT_WINDOW_MS,
      registrationsPerIp: env.REGISTRATIONS_PER_IP,
      registrationWindowMs: env.REGISTRATION_WINDOW_MS,
      mailsPerIp: env.MAIL_REQUESTS_PER_IP,
      mailsPerRecipient: env.MAIL_REQUESTS_PER_ADDRESS,
      mailWindowMs: env.MAIL_REQUEST_WINDOW_MS,
      mailsPerCaller: env.MAILS_PER_CALLER,
      renamesPerAccount: env.RENAMES_PER_ACCOUNT,
      renameWindowMs: env.RENAME_WINDOW_MS,
      invitationsPerInviter: env.INVITATIONS_PER_INVITER,
      invitationWindowMs: env.INVITATION_WINDOW_MS,
    },
  });
  return { limits, deviceCookies };
}

/** Password hashing at the cost that OWASP recommends. */
export function wirePasswords(env: Env, metrics: Registry) {
  const { PASSWORD_HASH_CONCURRENCY: concurrency, PASSWORD_HASH_QUEUE: queue } = env;
  return createPasswords({ cost: owaspCost, concurrency, queue, metrics });
}
