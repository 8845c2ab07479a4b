import { expect } from 'chai';
import { decodeJwt } from 'jose';
import { waitFor } from '@taskwire/testing';
import { expectProblem } from './support/api.ts';
import {
  addUser,
  authWorld,
  cheapPasswords,
  loggedIn,
  logIn,
  password,
  serviceToken,
  withSecret,
  type AuthWorld,
} from './support/auth-world.ts';

type LinkEvent = { type: string; user_id: string; link_id: string };
type AnsweredLink = { email: string; link: string; expires_at: string };

const mailer = withSecret('mailer', 'a-secret-of-mailer-with-32-characters', [
  { audience: 'urn:taskwire:auth', scopes: ['users:read', 'account_links:read'] },
]);
const reader = withSecret('reader', 'a-secret-of-reader-with-32-characters', [
  { audience: 'urn:taskwire:auth', scopes: ['users:read'] },
]);
const newPassword = 'a much better horse battery';

describe('the life of an account', () => {
  let world: AuthWorld;
  let ip = 0;
  before(async () => {
    const clients = JSON.stringify([mailer, reader].map(({ settings }) => settings));
    // nothing takes events away, so that they can be read in the outbox
    world = await authWorld({ OIDC_CLIENTS: clients, PROCESS_ROLE: 'api' }, { passwords: cheapPasswords() });
  });
  after(async () => {
    await world.stop();
  });

  const freshIp = () => `203.0.113.${(ip += 1)}`;
  const from = (address: string) => ({ 'x-forwarded-for': address });

  async function rows<R extends object>(text: string, values: unknown[] = []): Promise<R[]> {
    return (await world.database.db.pool.query<R>(text, values)).rows;
  }

  /** What was published of mails with links, or will be, oldest first. */
  async function linkEvents(userId: string): Promise<LinkEvent[]> {
    return await rows<LinkEvent>(
      `SELECT type, payload->>'user_id' AS user_id, payload->>'link_id' AS link_id FROM outbox
       WHERE type LIKE 'auth.account.%\\_requested' AND payload->>'user_id' = $1 ORDER BY id`,
      [userId],
    );
  }

  async function readLink(id: string, client = mailer) {
    const token = await serviceToken(world, client);
    return await world.api.call('getAccountLink', { token, params: { id } });
  }

  /** The token of the last link for this person. */
  async function lastToken(userId: string): Promise<string> {
    const last = (await linkEvents(userId)).at(-1);
    const { link } = (await readLink(last?.link_id ?? '')).body as AnsweredLink;
    return new URL(link).searchParams.get('token') ?? '';
  }

  async function register(email: string) {
    const answer = await world.api.call('register', { body: { email, password, name: 'Rosa' } });
    expect(answer.status, answer.text).to.equal(201);
    return answer.body as { id: string; email: string };
  }

  /** Asks for a reset and gives its token, once the worker was there. */
  async function resetToken(user: { id: string; email: string }): Promise<string> {
    await world.api.call('forgotPassword', { body: { email: user.email }, headers: from(freshIp()) });
    await world.service.mailRequests.tick();
    return await lastToken(user.id);
  }

  const verify = async (token: string) => await world.api.call('verifyEmail', { body: { token } });
  const reset = async (token: string, wanted = newPassword) =>
    await world.api.call('resetPassword', { body: { token, new_password: wanted } });
  const me = async (token: string) => await world.api.call('me', { token });
  const detailOf = (answer: Parameters<typeof expectProblem>[0]) => expectProblem(answer, 'link_not_valid').detail;

  describe('verification', () => {
    it('of who registers: a link to the address, which verifies it once', async () => {
      const user = await register('Rosa.Verify@example.org');
      const events = await linkEvents(user.id);
      expect(events.map(({ type }) => type)).to.deep.equal(['auth.account.verification_requested']);
      const answer = await readLink(events[0]?.link_id ?? '');
      expect(answer.headers.get('cache-control')).to.equal('no-store');
      const { email, link, expires_at: until } = answer.body as AnsweredLink;
      expect(email).to.equal('Rosa.Verify@example.org');
      expect(link).to.match(/^http:\/\/localhost:8080\/oidc\/account\/verify\?token=twl_[\w-]{64}$/);
      expect(Date.parse(until) - Date.now()).to.be.within(86_300_000, 86_400_000);
      const token = new URL(link).searchParams.get('token') ?? '';
      const answers = await Promise.all(Array.from({ length: 100 }, async () => await verify(token)));
      expect(answers.filter(({ status }) => status === 204)).to.have.length(1);
      const refused = answers.filter(({ status }) => status !== 204).map(detailOf);
      expect(new Set(refused)).to.deep.equal(new Set(['It was used already. Ask for a new one.']));
      const session = await logIn(world, user.email);
      expect((await me(session.access_token)).body).to.include({ email_verified: true, version: 2 });
      expect(expectProblem(await readLink(events[0]?.link_id ?? ''), 'gone').detail).to.equal('It was used already.');
    });
  });
});
