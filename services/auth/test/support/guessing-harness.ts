import { expect } from 'chai';
import { waitFor } from '@taskwire/testing';
import { linkTokens } from '../../src/app/link-tokens.ts';
import type { Passwords } from '../../src/app/ports/passwords.ts';
import { derivedKey } from '../../src/tokens/derived-keys.ts';
import type { Answer, Api } from './api.ts';
import { cheapPasswords } from './auth-harness.ts';
import { oidcHarness, type OidcHarness } from './oidc-harness.ts';

/**
 * The number of attempts at one account that all unknown callers together have in a window. All devices of the account together have the same number.
 */
export const budget = 10;

/** Returns the header that makes a request appear to come from this address. */
export const forwarded = (ip: string) => ({ 'x-forwarded-for': ip });

type Attempt = { ip: string; password?: string; cookie?: string; api?: Api };

export type GuessingHarness = OidcHarness & {
  /** The installation's secret. */
  secret: Buffer;
  /** The number of passwords compared with a hash so far. */
  checked(): number;
  /** An address that no test has used. */
  freshIp(): string;
  /** Attempts a log-in, with a wrong password unless another is given. */
  attempt(email: string, given: Attempt): Promise<Answer>;
  /** Makes guesses, each from a different address; returns the number that were compared with the hash. */
  attack(email: string, addresses: number): Promise<number>;
  /** Sets another password by a mailed link. */
  reset(user: { id: string; email: string }, password: string, ip: string): Promise<void>;
};

/** Auth with passwords that cost almost nothing to hash, for tests that guess. */
export async function guessingHarness(): Promise<GuessingHarness> {
  let checked = 0;
  let networks = 0;
  const cheap = cheapPasswords();
  const counting: Passwords = {
    ...cheap,
    async verify(...given) {
      checked += 1;
      return await cheap.verify(...given);
    },
  };
  const harness = await oidcHarness({}, [], { passwords: counting });
  const secret = Buffer.from(harness.settings['KEY_ENCRYPTION_SECRET'] ?? '', 'base64');

  async function resetTokenOf(userId: string): Promise<string | undefined> {
    const { rows } = await harness.database.db.pool.query<{ id: string }>(
      "SELECT id FROM account_links WHERE user_id = $1 AND purpose = 'reset_password'",
      [userId],
    );
    const [link] = rows;
    return link && linkTokens(derivedKey(secret, 'account links')).tokenOf({ id: link.id, purpose: 'reset_password' });
  }

  const made: GuessingHarness = {
    ...harness,
    secret,
    checked: () => checked,
    freshIp: () => `10.${(networks += 1) >> 8}.${networks & 255}.1`,
    attempt: async (email, { ip, password = 'a wrong guess', cookie, api = harness.api }) =>
      await api.call('login', {
        body: { email, password },
        headers: { ...forwarded(ip), ...(cookie === undefined ? {} : { cookie }) },
      }),
    async attack(email, addresses) {
      const before = checked;
      for (let sent = 0; sent < addresses; sent += 50) {
        const guesses = Array.from({ length: Math.min(50, addresses - sent) }, async () => {
          return await made.attempt(email, { ip: made.freshIp() });
        });
        for (const { status } of await Promise.all(guesses)) expect(status).to.be.oneOf([401, 429]);
      }
      return checked - before;
    },
    async reset({ id, email }, password, ip) {
      await harness.api.call('forgotPassword', { body: { email }, headers: forwarded(ip) });
      const token = await waitFor(async () => await resetTokenOf(id));
      const body = { token, new_password: password };
      const answer = await harness.api.call('resetPassword', { body, headers: forwarded(ip) });
      expect(answer.status, answer.text).to.equal(204);
    },
  };
  return made;
}

/** Returns the cookie that a device received at a log-in, as the device sends it back. */
export function deviceOf(answer: Answer): string {
  return /taskwire_device=[^;]+/.exec(answer.headers.get('set-cookie') ?? '')?.[0] ?? '';
}
