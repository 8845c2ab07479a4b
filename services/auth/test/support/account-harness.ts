import { expect } from 'chai';
import type { Answer } from './api.ts';
import { authHarness, cheapPasswords, password, serviceToken, withSecret, type AuthHarness } from './auth-harness.ts';

export type LinkEvent = { type: string; aggregate_id: string; payload: { user_id: string; link_id: string } };
export type ReadableLink = {
  email: string;
  link: string;
  expires_at: string;
  requested?: { at: string; by: string; network: string | null; browser: string | null };
  deleted_unless_verified_by?: string;
};
type Account = { id: string; email: string };

/** May read links, as Notifications may. */
export const mailer = withSecret('mailer', 'a-secret-of-mailer-with-32-characters', [
  { audience: 'urn:taskwire:auth', scopes: ['users:read', 'account_links:read'] },
]);
export const otherMailer = withSecret('other-mailer', 'a-secret-of-other-mailer-with-32-characters', [
  { audience: 'urn:taskwire:auth', scopes: ['account_links:read'] },
]);
/** May read users, as Tasks may. */
export const reader = withSecret('reader', 'a-secret-of-reader-with-32-characters', [
  { audience: 'urn:taskwire:auth', scopes: ['users:read'] },
]);

export const newPassword = 'a much better horse battery';

export type AccountHarness = AuthHarness & {
  rows<R extends object>(text: string, values?: unknown[]): Promise<R[]>;
  /** A network address that no earlier request has used. */
  freshIp(): { 'x-forwarded-for': string };
  register(email: string): Promise<Account>;
  /** The unpublished events about mailed links of this user, oldest first. */
  linkEvents(userId: string): Promise<LinkEvent[]>;
  /** Reads a link for its usual delivery or for another. The same delivery may read the link any number of times. */
  readLink(id: string, client?: typeof mailer, delivery?: string | null): Promise<Answer>;
  /** The token of the most recently requested link. */
  lastToken(userId: string): Promise<string>;
  forgot(email: string, headers?: Record<string, string>): Promise<Answer>;
  /** Requests a reset; returns its token once the worker has handled the request. */
  resetToken(user: Account): Promise<string>;
  /** Uses a verification link, logged in with this access token, or without being logged in. */
  verify(token: string, as?: string): Promise<Answer>;
  /** Uses a verification link without being logged in, and sets the account's password. */
  claim(token: string, wanted?: string): Promise<Answer>;
  reset(token: string, wanted?: string): Promise<Answer>;
  logIn(email: string, wanted: string): Promise<Answer>;
  me(token: string): Promise<Answer>;
};

/** Auth without its workers: unpublished events can be read in the outbox, and requests for mails wait until a test processes them. */
export async function accountHarness(settings: Record<string, string> = {}): Promise<AccountHarness> {
  const clients = JSON.stringify([mailer, otherMailer, reader].map((client) => client.settings));
  const harness = await authHarness(
    { OIDC_CLIENTS: clients, PROCESS_ROLE: 'api', ...settings },
    { passwords: cheapPasswords() },
  );
  let ip = 0;
  const made: AccountHarness = {
    ...harness,
    rows: async <R extends object>(text: string, values: unknown[] = []) =>
      (await harness.database.db.pool.query<R>(text, values)).rows,
    freshIp: () => ({ 'x-forwarded-for': `203.0.113.${(ip += 1)}` }),
    async register(email) {
      const answer = await harness.api.call('register', { body: { email, password, name: 'Rosa' } });
      expect(answer.status, answer.text).to.equal(201);
      return answer.body as Account;
    },
    linkEvents: async (userId) =>
      await made.rows<LinkEvent>(
        `SELECT type, aggregate_id, payload FROM outbox
         WHERE payload->>'link_id' IS NOT NULL AND payload->>'user_id' = $1 ORDER BY id`,
        [userId],
      ),
    async readLink(id, client = mailer, delivery = `delivery of ${id}`) {
      const headers: Record<string, string> = delivery === null ? {} : { 'idempotency-key': delivery };
      return await harness.api.call('getAccountLink', {
        token: await serviceToken(harness, client),
        params: { id },
        headers,
      });
    },
    async lastToken(userId) {
      const last = (await made.linkEvents(userId)).at(-1);
      const { link } = (await made.readLink(last?.payload.link_id ?? '')).body as ReadableLink;
      return new URL(link).searchParams.get('token') ?? '';
    },
    forgot: async (email, headers = made.freshIp()) =>
      await harness.api.call('forgotPassword', { body: { email }, headers }),
    async resetToken(user) {
      expect((await made.forgot(user.email)).status).to.equal(202);
      await harness.service.mailRequests.tick();
      return await made.lastToken(user.id);
    },
    verify: async (token, as) => await harness.api.call('verifyEmail', { token: as, body: { token } }),
    claim: async (token, wanted = newPassword) =>
      await harness.api.call('verifyEmail', { body: { token, new_password: wanted } }),
    reset: async (token, wanted = newPassword) =>
      await harness.api.call('resetPassword', { body: { token, new_password: wanted } }),
    logIn: async (email, wanted) => await harness.api.call('login', { body: { email, password: wanted } }),
    me: async (token) => await harness.api.call('me', { token }),
  };
  return made;
}
