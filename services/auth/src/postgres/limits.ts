import type { Problem } from '@taskwire/errors';
import type { Database } from '@taskwire/postgres';
import { networkOf } from '../domain/network.ts';
import type { DeviceCookies } from '../app/device-cookies.ts';
import { knownCallerTurn } from '../app/hash-new-password.ts';
import type { HashTurn, Passwords } from '../app/ports/passwords.ts';
import type { Limits, Visitor } from '../app/ports/limits.ts';
import { foldEmail } from '../domain/email-address.ts';
import {
  chargeOfEveryLogin,
  chargesOfAccount,
  hasAlternatives,
  subjectOf,
  type Charge,
  type LoginBudget,
} from '../domain/login-budget.ts';
import { createLimiter, rateLimited, type Limiter } from './keyed-limiter.ts';
import type { KnownNetworks } from './known-networks.ts';

/** Numbers of attempts within a period. */
export type LimitSettings = {
  /** The maximum number of failed log-ins to one account from one address; the same number applies to all of the account's known devices together. */
  failuresPerAccountAndIp: number;
  /** The maximum number of failed log-ins to one account from all unknown devices and networks together. */
  failuresPerAccount: number;
  accountWindowMs: number;
  /** The maximum number of failed log-ins from one address, to any accounts. */
  failuresPerIp: number;
  failureWindowMs: number;
  /** Registrations from one address, successful or not. */
  registrationsPerIp: number;
  registrationWindowMs: number;
  /** Mails with links requested from one address. */
  mailsPerIp: number;
  /** The maximum number of mails with links of one purpose that are requested for one address. */
  mailsPerRecipient: number;
  mailWindowMs: number;
  /** The maximum number of mails of any kind caused from one address, and by one logged-in user. */
  mailsPerCaller: number;
  /** The maximum number of times that one user may change one account's name. */
  renamesPerAccount: number;
  renameWindowMs: number;
  /** Invitations by one user. */
  invitationsPerInviter: number;
  invitationWindowMs: number;
};

export type LimitsOptions = {
  pool: Database['pool'];
  /** The key of the HMACs that identify rows of the table. */
  key: Buffer;
  settings: LimitSettings;
  knownNetworks: KnownNetworks;
  deviceCookies: DeviceCookies;
  /** Runs the look-up of an account when the caller's turn comes, so that a flood of look-ups leaves database connections for other work. */
  lookUp: Passwords['inTurn'];
};

/** A form may be sent twice because of a double click or a slow network, but rarely more often. Used links are deleted within two weeks. */
const repeatsPerLink = 5;
const repeatWindowMs = 3_600_000;

/**
 * Limits shared by all replicas. A log-in is counted before it is checked, so that concurrent guesses don't all pass, and is refunded if the password
 * was correct. `domain/login-budget.ts` decides against which budgets a log-in counts. See docs/adr/0020-guessing.md.
 */
export function createLimits(options: LimitsOptions): Limits {
  const { pool, key, settings, knownNetworks, deviceCookies, lookUp } = options;
  const limiter = (name: string, points: number, windowMs: number) =>
    createLimiter({ pool, key, name, points, windowMs });
  const logins: Record<LoginBudget, Limiter> = {
    network: limiter('login-ip', settings.failuresPerIp, settings.failureWindowMs),
    account_and_network: limiter('login-account', settings.failuresPerAccountAndIp, settings.failureWindowMs),
    known_devices: limiter('login-devices', settings.failuresPerAccountAndIp, settings.failureWindowMs),
    unknown_callers: limiter('login-strangers', settings.failuresPerAccount, settings.accountWindowMs),
  };
  const registrations = limiter('register-ip', settings.registrationsPerIp, settings.registrationWindowMs);
  const invitations = limiter('invite', settings.invitationsPerInviter, settings.invitationWindowMs);
  const mailsPerIp = limiter('mail-ip', settings.mailsPerIp, settings.mailWindowMs);
  const emailChanges = limiter('email-change', settings.mailsPerRecipient, settings.mailWindowMs);
  const repeats = limiter('link-repeat', repeatsPerLink, repeatWindowMs);
  const mailsPerRecipient = limiter('mail-recipient', settings.mailsPerRecipient, settings.mailWindowMs);
  const mailsPerCaller = limiter('mail-caller', settings.mailsPerCaller, settings.mailWindowMs);
  const renames = limiter('rename', settings.renamesPerAccount, settings.renameWindowMs);

  /** Counts a log-in against these budgets in turn. Returns the refusal by the first budget that is used up. */
  async function charge(visitor: Visitor, charges: readonly Charge[]): Promise<Problem | undefined> {
    for (const { budget } of charges) {
      const seconds = await logins[budget].tryConsume(subjectOf(budget, visitor));
      if (seconds !== undefined) return rateLimited(seconds, hasAlternatives(budget) ? alternatives : undefined);
    }
    return undefined;
  }

  /** Counts a log-in against the first alternative that has room, and returns it. */
  async function chargeAny(visitor: Visitor, options: readonly (readonly Charge[])[]): Promise<readonly Charge[]> {
    let refusal: Problem | undefined;
    for (const charges of options) {
      refusal = await charge(visitor, charges);
      if (refusal === undefined) return charges;
    }
    throw refusal ?? new Error('a log-in without a budget');
  }

  return {
    async recognize({ ip: address, deviceCookie }, email, find) {
      const ip = address ?? '';
      const hinted = deviceCookies.isHintFor(deviceCookie, email);
      return await lookUp(hinted ? { isKnown: true, source: foldEmail(email) } : unknownCallerTurn(ip), async () => {
        const account = await find();
        const isKnownDevice = deviceCookies.isValid(deviceCookie, account);
        const isKnownNetwork = await knownNetworks.has(account, ip);
        const isKnown = isKnownDevice || isKnownNetwork;
        const turn = account !== undefined && isKnown ? knownCallerTurn(account.userId) : unknownCallerTurn(ip);
        return { account, visitor: { email, ip, isKnownDevice, isKnownNetwork, turn } };
      });
    },
    async login(visitor) {
      const charged = [
        ...(await chargeAny(visitor, [[chargeOfEveryLogin]])),
        ...(await chargeAny(visitor, chargesOfAccount(visitor))),
      ];
      return {
        async refund() {
          await Promise.all(
            charged.map(async ({ budget, onSuccess }) => await logins[budget][onSuccess](subjectOf(budget, visitor))),
          );
        },
      };
    },
    rememberNetwork: async ({ ip }, period) => await knownNetworks.add(period, ip ?? ''),
    async register(ip) {
      await registrations.consume(networkOf(ip));
      return unknownCallerTurn(ip);
    },
    async causeMail({ actor, origin }) {
      await mailsPerCaller.consume(networkOf(origin.ip ?? ''));
      if (actor?.kind === 'user') await mailsPerCaller.consume(actor.id);
    },
    async rename({ actor }, userId) {
      // an admin who corrects a user's name doesn't use up that user's budget, and vice versa
      await renames.consume(`${actor?.kind === 'user' ? actor.id : ''} ${userId}`);
    },
    async invite(userId) {
      await invitations.consume(userId);
    },
    async mail(ip, email, purpose) {
      await mailsPerIp.consume(networkOf(ip));
      return (await mailsPerRecipient.tryConsume(`${foldEmail(email)} ${purpose}`)) === undefined;
    },
    repeatLink: async (linkId) => (await repeats.tryConsume(linkId)) === undefined,
    changeEmail: async (userId) => (await emailChanges.tryConsume(userId)) === undefined,
  };
}

const alternatives = ', or now on a device or network where you have logged in before, or reset the password by mail';

/** Unknown callers take turns by network, the unit that the limits count as one address: an attacker has to pay for each additional network. */
function unknownCallerTurn(ip: string): HashTurn {
  return { isKnown: false, source: networkOf(ip) };
}
