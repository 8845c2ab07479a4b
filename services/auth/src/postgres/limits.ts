import { createHash } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';
import { problem } from '@taskwire/errors';
import type { Database } from '@taskwire/postgres';
import { RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible';
import type { DeviceProofs } from '../app/device-proofs.ts';
import type { Limits } from '../app/ports.ts';
import type { KnownNetworks } from './known-networks.ts';
import { foldEmail } from './user-rows.ts';

/** How many attempts within a span of time. */
export type LimitSettings = {
  /** Failed log-ins of one account from one address. */
  failuresPerAccountAndIp: number;
  /** Failed log-ins of one account, from all places together where nobody has logged in to it before. */
  failuresPerAccount: number;
  accountWindowMs: number;
  /** Failed log-ins from one address, whatever the account. */
  failuresPerIp: number;
  failureWindowMs: number;
  /** Registrations from one address, successful or not. */
  registrationsPerIp: number;
  registrationWindowMs: number;
  /** Mails with links that are asked for from one address. */
  mailsPerIp: number;
  /** Mails with links of one purpose that are asked for to one address. */
  mailsPerRecipient: number;
  mailWindowMs: number;
  /** Mails of any cause from one address, and by one logged-in user. */
  mailsPerCaller: number;
  /** Changes of one account's name by one user. */
  renamesPerAccount: number;
  renameWindowMs: number;
  /** Invitations of one person. */
  invitationsPerInviter: number;
  invitationWindowMs: number;
};

export type LimitsOptions = {
  pool: Database['pool'];
  settings: LimitSettings;
  knownNetworks: KnownNetworks;
  deviceProofs: DeviceProofs;
};

/** A form is sent twice by a double click or a slow network, seldom more often; a link that was used is forgotten within two weeks. */
const repeatsPerLink = 5;
const repeatWindowMs = 3_600_000;

/**
 * Limits that all replicas share. A log-in counts before it is checked, so that many guesses at once are not all let through, and
 * is forgiven when it was right. What limits an account over all addresses leaves out where its owner is known (OWASP's device cookies, and
 * networks): else anybody could lock them out. See docs/adr/0020-guessing.md.
 */
export function createLimits({ pool, settings, knownNetworks, deviceProofs }: LimitsOptions): Limits {
  const perAccountAndIp = limiter(pool, 'login-account', settings.failuresPerAccountAndIp, settings.failureWindowMs);
  const perIp = limiter(pool, 'login-ip', settings.failuresPerIp, settings.failureWindowMs);
  const strangers = limiter(pool, 'login-strangers', settings.failuresPerAccount, settings.accountWindowMs);
  const registrations = limiter(pool, 'register-ip', settings.registrationsPerIp, settings.registrationWindowMs);
  const invitations = limiter(pool, 'invite', settings.invitationsPerInviter, settings.invitationWindowMs);
  const mailsPerIp = limiter(pool, 'mail-ip', settings.mailsPerIp, settings.mailWindowMs);
  const emailChanges = limiter(pool, 'email-change', settings.mailsPerRecipient, settings.mailWindowMs);
  const repeats = limiter(pool, 'link-repeat', repeatsPerLink, repeatWindowMs);
  const mailsPerRecipient = limiter(pool, 'mail-recipient', settings.mailsPerRecipient, settings.mailWindowMs);
  const mailsPerCaller = limiter(pool, 'mail-caller', settings.mailsPerCaller, settings.mailWindowMs);
  const renames = limiter(pool, 'rename', settings.renamesPerAccount, settings.renameWindowMs);

  return {
    async login({ ip, deviceProof }, email) {
      const network = networkOf(ip ?? '');
      const device = deviceProofs.deviceOf(deviceProof, email);
      // neighbours in one network do not count against each other's devices
      const place = hashed(`${foldEmail(email)} ${device ?? network}`);
      const account = hashed(foldEmail(email));
      await consume(perIp, network);
      await consume(perAccountAndIp, place);
      const isKnown = device !== undefined || (await knownNetworks.has(email, ip ?? ''));
      if (!isKnown) await consume(strangers, account, elsewhere);
      return {
        async forgive() {
          await Promise.all([
            perIp.reward(network),
            perAccountAndIp.delete(place),
            // others have their failures still
            ...(isKnown ? [] : [strangers.reward(account)]),
          ]);
        },
      };
    },
    trust: async ({ ip }, email) => await knownNetworks.add(email, ip ?? ''),
    async register(ip) {
      await consume(registrations, networkOf(ip));
    },
    async causeMail({ actor, origin }) {
      await consume(mailsPerCaller, networkOf(origin.ip ?? ''));
      if (actor?.kind === 'user') await consume(mailsPerCaller, actor.id);
    },
    async rename({ actor }, userId) {
      // an admin who corrects a name takes nothing from its owner, nor the owner from the admin
      await consume(renames, `${actor?.kind === 'user' ? actor.id : ''} ${userId}`);
    },
    async invite(userId) {
      await consume(invitations, userId);
    },
    async mail(ip, email, purpose) {
      await consume(mailsPerIp, networkOf(ip));
      return (await take(mailsPerRecipient, hashed(`${foldEmail(email)} ${purpose}`))) === undefined;
    },
    repeatLink: async (linkId) => (await take(repeats, linkId)) === undefined,
    changeEmail: async (userId) => (await take(emailChanges, userId)) === undefined,
  };
}

function limiter(pool: Database['pool'], keyPrefix: string, points: number, windowMs: number): RateLimiterPostgres {
  return new RateLimiterPostgres({
    storeClient: pool,
    storeType: 'pool',
    tableName: 'rate_limits',
    tableCreated: true,
    clearExpiredByTimeout: false,
    keyPrefix,
    points,
    duration: windowMs / 1000,
    // who is over the limit already costs no query
    inMemoryBlockOnConsumed: points + 1,
  });
}

/** The table is no place for addresses. */
function hashed(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

const elsewhere = ', or now where you have logged in before, or set a new password by mail';

async function consume(limit: RateLimiterPostgres, key: string, otherwise = ''): Promise<void> {
  const seconds = await take(limit, key);
  if (seconds === undefined) return;
  throw problem('rate_limited', `Try again in ${seconds} s${otherwise}.`, {
    headers: { 'Retry-After': String(seconds) },
  });
}

/** Counts an attempt; gives the seconds until the next one is let through when there were too many. */
async function take(limit: RateLimiterPostgres, key: string): Promise<number | undefined> {
  try {
    await limit.consume(key);
    return undefined;
  } catch (refused) {
    if (!(refused instanceof RateLimiterRes)) throw refused;
    return Math.max(1, Math.ceil(refused.msBeforeNext / 1000));
  }
}

/** What counts as one address: an IPv4 address, or the /64 network of an IPv6 one, which is what one customer has at least. */
export function networkOf(ip: string): string {
  const mapped = /^::ffff:([\d.]+)$/i.exec(ip)?.[1];
  if (mapped !== undefined && isIPv4(mapped)) return mapped;
  if (!isIPv6(ip)) return ip;
  const [head = '', tail] = (ip.split('%')[0] ?? '').split('::');
  const before = head.split(':').filter(Boolean);
  const after = tail === undefined ? [] : tail.split(':').filter(Boolean);
  const zeros = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => '0');
  const groups = tail === undefined ? before : [...before, ...zeros, ...after];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
