import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { waitFor } from '@taskwire/testing';
import { decodeJwt } from 'jose';
import { expectProblem } from './support/api.ts';
import { addUser, loggedIn, logIn, password } from './support/auth-harness.ts';
import { createBrowser } from './support/browser.ts';
import { loggedInBrowser } from './support/logged-in-browser.ts';
import { oidcHarness, portal, type OidcHarness, type Tokens } from './support/oidc-harness.ts';

type User = { id: string; email: string; role: string; version: number };
type LoggedIn = Awaited<ReturnType<typeof loggedIn>>;
type Role = LoggedIn['role'];
type Session = { access_token: string; refresh_token: string; user: User };

describe('a fresh log-in', () => {
  let harness: OidcHarness;

  before(async () => {
    const console = {
      client_id: 'console',
      grant_types: ['authorization_code', 'refresh_token'],
      grants: [{ audience: 'urn:taskwire:auth', scopes: ['account:read', 'account:write', 'admin'] }],
      redirect_uris: ['https://console.example.org/'],
    };
    const settings = { PROCESS_ROLE: 'api', LOGIN_FAILURES_PER_ACCOUNT_AND_IP: '3' };
    harness = await oidcHarness(settings, [console]);
    // so that no user deleted here is the last admin
    await addUser(harness, 'admin');
  });
  after(async () => {
    await harness.stop();
  });

  const rows = async <R extends object>(text: string, values: unknown[] = []) =>
    (await harness.database.db.pool.query<R>(text, values)).rows;
  const user = async (role: Role) => (await addUser(harness, role)) as User;
  let networks = 0;
  /** A new network address, so that the limits of other tests don't apply. */
  const freshIp = () => ({ 'x-forwarded-for': `203.0.113.${(networks += 1)}` });

  async function consoleTokens(parameters: Record<string, string>): Promise<Tokens> {
    return await harness.tokens({
      parameters: { scope: 'openid account:write offline_access', resource: 'urn:taskwire:auth', ...parameters },
    });
  }

  describe('by reauthentication', () => {
    const authTime = (session: { access_token: string }) => Number(decodeJwt(session.access_token)['auth_time']);
    const reauthenticate = async (
      accessToken: string,
      current: string = password,
      headers: Record<string, string> = freshIp(),
    ) => await harness.api.call('reauthenticate', { token: accessToken, body: { current_password: current }, headers });
    const refresh = async (refreshToken: string) =>
      await harness.api.call('refresh', { body: { refresh_token: refreshToken } });

    /** A user who logged in an hour ago. */
    async function loggedInLongAgo(role: Role = 'admin') {
      const person = await addUser(harness, role);
      const session = (await logIn(harness, person.email)) as unknown as Session;
      const sid = String(decodeJwt(session.access_token)['sid']);
      await rows("UPDATE sessions SET created_at = created_at - interval '1 hour' WHERE id = $1", [sid]);
      const renewed = (await refresh(session.refresh_token)).body as Session;
      return { ...renewed, sid, email: person.email };
    }

    it('keeps the session, and issues tokens with a new time of log-in', async () => {
      const before = await loggedInLongAgo();
      expect(authTime(before)).to.be.closeTo(Date.now() / 1000 - 3_600, 30);
      const answer = await reauthenticate(before.access_token);
      expect(answer.status, answer.text).to.equal(200);
      const after = answer.body as Session;
      expect(authTime(after)).to.be.closeTo(Date.now() / 1000, 30);
      expect(decodeJwt(after.access_token)).to.include({ sid: before.sid, sub: before.user.id });
      const params = { id: (await user('member')).id };
      expectProblem(
        await harness.api.call('deleteUser', { token: before.access_token, params }),
        'reauthentication_required',
      );
      expect((await harness.api.call('deleteUser', { token: after.access_token, params })).status).to.equal(204);
      const entries = await rows("SELECT FROM audit_log WHERE action = 'reauthenticate' AND actor_id = $1", [
        before.user.id,
      ]);
      expect(entries).to.have.length(1);
    });

    it('differs from a refresh, which keeps the time of the log-in', async () => {
      const before = await loggedInLongAgo();
      const refreshed = (await refresh(before.refresh_token)).body as Session;
      expect(authTime(refreshed)).to.equal(authTime(before));
      const after = (await reauthenticate(refreshed.access_token)).body as Session;
      const again = (await refresh(after.refresh_token)).body as Session;
      expect(authTime(again)).to.equal(authTime(after));
    });

    it('gives no fresh log-in to the thief of an earlier refresh token', async () => {
      const before = await loggedInLongAgo();
      const after = (await reauthenticate(before.access_token)).body as Session;
      expectProblem(await refresh(before.refresh_token), 'invalid_refresh_token');
      // the owner continues
      expect((await refresh(after.refresh_token)).status).to.equal(200);
    });

    it('gives the thief no fresh log-in in a race either', async () => {
      for (let round = 0; round < 10; round++) {
        const before = await loggedInLongAgo();
        const [renewed, stolen] = await Promise.all([
          reauthenticate(before.access_token),
          refresh(before.refresh_token),
        ]);
        expect(renewed.status, renewed.text).to.equal(200);
        if (stolen.status === 200) {
          const thief = stolen.body as Session;
          expect(authTime(thief)).to.be.below(Date.now() / 1000 - 3_000);
          expectProblem(await refresh(thief.refresh_token), 'invalid_refresh_token');
        } else expectProblem(stolen, 'invalid_refresh_token');
        expect((await refresh((renewed.body as Session).refresh_token)).status).to.equal(200);
      }
    });

    it('gives no fresh log-in to a concurrent refresh, which waits for it', async () => {
      const before = await loggedInLongAgo();
      const waiting = async (count: number) =>
        await waitFor(async () => {
          const found = await rows(
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
          );
          return found.length === count;
        });
      const [renewed, stolen] = await harness.database.db.transaction(async (tx) => {
        await query(tx, 'SELECT FROM sessions WHERE id = $1 FOR UPDATE', [before.sid]);
        const renewing = reauthenticate(before.access_token);
        await waiting(1);
        const refreshing = refresh(before.refresh_token);
        await waiting(2);
        return [renewing, refreshing] as const;
      });
      expect((await renewed).status).to.equal(200);
      expectProblem(await stolen, 'invalid_refresh_token');
      expect((await harness.api.call('me', { token: ((await renewed).body as Session).access_token })).status).to.equal(
        200,
      );
    });

    it('requires the password, and counts wrong ones as failed log-ins', async () => {
      const before = await loggedInLongAgo();
      const headers = freshIp();
      for (let count = 0; count < 3; count++) {
        const answer = await reauthenticate(before.access_token, 'wrong', headers);
        expect(expectProblem(answer, 'wrong_password').status).to.equal(422);
      }
      expect((await reauthenticate(before.access_token, password, headers)).status).to.equal(429);
      const [entry] = await rows<{ reason: string }>(
        "SELECT reason FROM audit_log WHERE action = 'reauthenticate' AND subject_id = $1 AND outcome = 'failure' LIMIT 1",
        [before.user.id],
      );
      expect(entry?.reason).to.equal('wrong_password');
    });

    it('is reserved for the first party', async () => {
      const tokens = await consoleTokens({});
      expectProblem(await reauthenticate(tokens.access_token), 'insufficient_scope');
    });
  });

  describe('for applications', () => {
    const wanted = { scope: 'openid account:read', resource: 'urn:taskwire:auth' };
    const authTime = (tokens: Tokens) => Number(decodeJwt(tokens.access_token)['auth_time']);

    it('requires a new log-in by prompt=login or max_age, and no earlier one counts', async () => {
      for (const parameters of [{ prompt: 'login' }, { max_age: '300' }]) {
        const { browser, person } = await loggedInBrowser(harness, 3_600);
        const asked = async (more: Record<string, string>) => {
          const code = await harness.code({ browser, person, parameters: { ...wanted, ...more } });
          return (await harness.exchange(code)).body as Tokens;
        };
        expect(authTime(await asked({}))).to.be.closeTo(Date.now() / 1000 - 3_600, 60);
        const after = await asked(parameters);
        expect(authTime(after)).to.be.closeTo(Date.now() / 1000, 60);
      }
    });

    it('is not satisfied by a refresh', async () => {
      const browser = createBrowser(harness.api.baseUrl);
      const parameters = { scope: 'openid account:read offline_access', prompt: 'consent', resource: wanted.resource };
      const tokens = await harness.tokens({ browser, parameters });
      await rows(
        `UPDATE refresh_tokens
         SET payload = jsonb_set(payload::jsonb, '{authTime}', to_jsonb((payload->>'authTime')::bigint - 3600))::json
         WHERE session_id IN (SELECT id FROM sessions WHERE user_id = $1)`,
        [tokens.person.id],
      );
      const fields = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token };
      const refreshed = (await harness.asPortal('/oidc/token', fields)).body as Tokens;
      expect(authTime(refreshed)).to.equal(authTime(tokens) - 3_600);
      expect(portal.client_id).to.equal(decodeJwt(refreshed.access_token)['client_id']);
    });
  });
});
