import type { Database } from '@taskwire/postgres';
import { deviceProofs as createDeviceProofs } from './app/device-proofs.ts';
import type { Env } from './env.ts';
import { createKnownNetworks } from './postgres/known-networks.ts';
import { createLimits } from './postgres/limits.ts';
import { derivedKey } from './tokens/derived-keys.ts';

/** How often something may be tried, and where somebody is known. */
export function wireLimits(env: Env, pool: Database['pool']) {
  const secret = env.KEY_ENCRYPTION_SECRET;
  const knownSeconds = env.LOGIN_KNOWN_DAYS * 86_400;
  const deviceProofs = createDeviceProofs({
    key: derivedKey(secret, 'devices'),
    lifetimeSeconds: knownSeconds,
    secure: env.ISSUER.startsWith('https:'),
  });
  const limits = createLimits({
    pool,
    key: derivedKey(secret, 'rate limits'),
    deviceProofs,
    knownNetworks: createKnownNetworks(pool, derivedKey(secret, 'known networks'), knownSeconds),
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
  return { limits, deviceProofs };
}
