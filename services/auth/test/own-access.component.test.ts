import type { AuditEntry, Consent, OpenSession } from '@taskwire/contracts';
import { expect } from 'chai';
import { decodeJwt } from 'jose';
import { expectProblem } from './support/api.ts';
import { loggedIn, logIn, password } from './support/auth-harness.ts';
import { pkce } from './support/browser.ts';
import { answerOf } from './support/logged-in-browser.ts';
import { adminConsole, oidcHarness, portal, type OidcHarness } from './support/oidc-harness.ts';

const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0';
const from = { 'x-forwarded-for': '203.0.113.9', 'user-agent': firefox };
const auth = 'urn:taskwire:auth';
const tasks = 'urn:taskwire:tasks';

describe("a user's own sessions and consents", () => {
  let harness: OidcHarness;
  before(async () => {
    harness = await oidcHarness();
  });
  after(async () => {
    await harness.stop();
  });

  type Person = Awaited<ReturnType<OidcHarness['person']>>;
  const { challenge } = pkce();
  const sidOf = (token: string) => String(decodeJwt(token)['sid']);

  async function open(person: { email: string }, headers: Record<string, string> = from) {
    const answer = await harness.api.call('login', { body: { email: person.email, password }, headers });
    return answer.body as { access_token: string; refresh_token: string };
  }

  async function sessions(token: string, query: Record<string, string> = {}) {
    const answer = await harness.api.call('listSessions', { token, query });
    expect(answer.status, answer.text).to.equal(200);
    return answer.body as { data: OpenSession[]; next_cursor: string | null };
  }

  async function consents(token: string, query: Record<string, string> = {}) {
    const answer = await harness.api.call('listConsents', { token, query });
    expect(answer.status, answer.text).to.equal(200);
    return answer.body as { data: Consent[]; next_cursor: string | null };
  }

  const refresh = async (token: string) =>
    (await harness.api.call('refresh', { body: { refresh_token: token } })).status;
  const refreshAsPortal = async (token: string) =>
    (await harness.asPortal('/oidc/token', { grant_type: 'refresh_token', refresh_token: token })).status;

  async function story(person: Person, action: string): Promise<AuditEntry[]> {
    const { token } = await loggedIn(harness, 'admin');
    const answer = await harness.api.call('listAudit', { token, query: { actor: person.id, action } });
    return (answer.body as { data: AuditEntry[] }).data;
  }

  const offline = { scope: 'openid offline_access tasks:read', resource: tasks, prompt: 'consent' };

  describe('sessions', () => {
    it('are listed with place and program of the log-in, and mark the current one', async () => {
      const person = await harness.person();
      const first = await open(person);
      const second = await open(person, { 'x-forwarded-for': '2001:db8::1', 'user-agent': 'curl/8.5.0' });
      const { data, next_cursor: next } = await sessions(second.access_token);
      expect(next).to.equal(null);
      expect(
        data.map(({ id, kind, ip, user_agent: agent, current }) => ({ id, kind, ip, agent, current })),
      ).to.deep.equal([
        { id: sidOf(second.access_token), kind: 'api', ip: '2001:db8::1', agent: 'curl', current: true },
        { id: sidOf(first.access_token), kind: 'api', ip: '203.0.113.9', agent: 'Firefox on Linux', current: false },
      ]);
      for (const { created_at: created, last_used_at: used, expires_at: expires } of data) {
        expect(used).to.equal(created);
        expect(Date.parse(expires) - Date.parse(created)).to.be.closeTo(14 * 86_400_000, 60_000);
      }
      expect(
        (await harness.api.call('listSessions', { token: second.access_token })).headers.get('cache-control'),
      ).to.equal('no-store');
    });

    it('show their last use, and disappear once they give no access', async () => {
      const person = await harness.person();
      const { access_token: token, refresh_token: used } = await open(person);
      const other = await open(person);
      expect(await refresh(used)).to.equal(200);
      const [, before] = (await sessions(other.access_token)).data;
      expect(before?.id).to.equal(sidOf(token));
      expect(Date.parse(before?.last_used_at ?? '')).to.be.above(Date.parse(before?.created_at ?? ''));
      await harness.database.db.pool.query(
        "UPDATE refresh_tokens SET expires_at = now() - interval '1 s' WHERE session_id = $1",
        [sidOf(token)],
      );
      expect((await sessions(other.access_token)).data).to.have.length(1);
    });

    it('end one at a time, with refresh and access tokens at once, while the others continue', async () => {
      const person = await harness.person();
      const [stolen, mine] = [await open(person), await open(person)];
      const end = { token: mine.access_token, params: { id: sidOf(stolen.access_token) }, headers: from };
      expect((await harness.api.call('endSession', end)).status).to.equal(204);
      expect(await refresh(stolen.refresh_token)).to.equal(401);
      expectProblem(await harness.api.call('me', { token: stolen.access_token }), 'access_revoked');
      expect((await sessions(mine.access_token)).data).to.have.length(1);
      expectProblem(await harness.api.call('endSession', end), 'not_found');
      const [entry] = await story(person, 'session.end');
      expect(entry).to.deep.include({
        subject: { kind: 'user', id: person.id },
        reason: sidOf(stolen.access_token),
        client_id: 'first-party',
        ip: '203.0.113.9',
      });
      const own = { token: mine.access_token, params: { id: sidOf(mine.access_token) } };
      expect((await harness.api.call('endSession', own)).status).to.equal(204);
      expectProblem(await harness.api.call('me', { token: mine.access_token }), 'access_revoked');
    });

    it("of other users can't be seen or ended, and neither can their consents", async () => {
      const [ann, ben] = [await harness.person(), await harness.person()];
      const [of, mine] = [await open(ann), await open(ben)];
      const allowed = await harness.tokens({ person: ann, parameters: offline });
      expect((await sessions(mine.access_token)).data).to.have.length(1);
      expect((await consents(mine.access_token)).data).to.deep.equal([]);
      const { data } = await sessions(of.access_token);
      const ids = [...data.map(({ id }) => id), sidOf(allowed.access_token), crypto.randomUUID()];
      for (const id of ids) {
        for (const operation of ['endSession', 'endConsent'] as const) {
          expectProblem(await harness.api.call(operation, { token: mine.access_token, params: { id } }), 'not_found');
        }
      }
      expect((await sessions(of.access_token)).data).to.deep.equal(data);
      expect(await refreshAsPortal(allowed.refresh_token)).to.equal(200);
    });

    it("are listed latest first in pages that new log-ins don't shift", async () => {
      const person = await harness.person();
      const opened: string[] = [];
      for (let count = 0; count < 5; count++) opened.unshift(sidOf((await open(person)).access_token));
      const { access_token: token } = await open(person);
      const read: string[] = [];
      let cursor: string | null = null;
      do {
        const page = await sessions(token, { limit: '2', ...(cursor === null ? {} : { cursor }) });
        read.push(...page.data.map(({ id }) => id));
        cursor = page.next_cursor;
        await open(person);
      } while (cursor !== null);
      expect(read).to.deep.equal([sidOf(token), ...opened]);
      expectProblem(await harness.api.call('listSessions', { token, query: { cursor: 'x' } }), 'bad_cursor');
    });

    it('can be read, without addresses, by an application with account:read, and can be ended only by our own front end', async () => {
      const person = await harness.person();
      await open(person);
      const parameters = { scope: 'account:read account:write', resource: auth };
      const { access_token: token } = await harness.tokens({ person, client: adminConsole, parameters });
      const { data } = await sessions(token);
      expect(data).to.have.length(2);
      for (const session of data) expect(session).to.deep.include({ ip: null, user_agent: null, current: false });
      expect((await consents(token)).data[0]).to.deep.include({ id: sidOf(token), current: true });
      for (const operation of ['endSession', 'endConsent'] as const) {
        expectProblem(
          await harness.api.call(operation, { token, params: { id: data[0]?.id ?? '' } }),
          'insufficient_scope',
        );
      }
    });
  });

  describe('browser log-ins', () => {
    const browserOf = (list: { data: OpenSession[] }) => list.data.find(({ kind }) => kind === 'browser');

    it('are sessions too, and end from elsewhere with everything that clients obtained through them', async () => {
      const person = await harness.person();
      const browser = harness.browser();
      const online = await harness.tokens({
        person,
        browser,
        client: adminConsole,
        parameters: { scope: 'account:read', resource: auth },
      });
      const persistent = await harness.tokens({
        person,
        browser,
        parameters: { ...offline, resource: auth, scope: 'offline_access account:read' },
      });
      const waiting = await harness.code({ person, browser, parameters: { scope: 'account:read', resource: auth } });
      const { access_token: token } = await open(person);
      const found = browserOf(await sessions(token));
      expect(found).to.include({ kind: 'browser', current: false });
      expect(found?.ip).to.match(/^(127\.0\.0\.1|::1)$/);
      expect((await harness.api.call('endSession', { token, params: { id: found?.id ?? '' } })).status).to.equal(204);

      const silent = await browser.open(harness.authorizeUrl({ code_challenge: challenge, prompt: 'none' }));
      expect(answerOf(silent)).to.include({ error: 'login_required' });
      expectProblem(await harness.api.call('me', { token: online.access_token }), 'access_revoked');
      // offline access continues while the user is absent
      expect((await harness.api.call('me', { token: persistent.access_token })).status).to.equal(200);
      expect((await harness.exchange(waiting)).status).to.equal(400);
      expect(browserOf(await sessions(token))).to.equal(undefined);
      expect((await story(person, 'consent.revoke')).map(({ subject }) => subject?.id)).to.deep.equal([
        adminConsole.client_id,
      ]);
      expect(await story(person, 'session.end')).to.have.length(1);
    });

    it('stay one session with its original place, however often the cookie changes', async () => {
      const person = await harness.person();
      const browser = harness.browser();
      await harness.code({ person, browser });
      const { access_token: token } = await open(person);
      const before = browserOf(await sessions(token));
      await harness.code({ person, browser, parameters: offline });
      await browser.open(harness.authorizeUrl({ code_challenge: challenge, prompt: 'none' }));
      const { data } = await sessions(token);
      expect(data.filter(({ kind }) => kind === 'browser')).to.have.length(1);
      const { last_used_at: used, expires_at: expires, ...same } = browserOf({ data })!;
      expect(before).to.deep.include(same);
      expect(Date.parse(used)).to.be.above(Date.parse(before?.last_used_at ?? ''));
      expect(Date.parse(expires)).to.be.above(Date.now());
    });

    it("don't return when a request of that browser was running at the same time", async () => {
      const person = await harness.person();
      const browser = harness.browser();
      await harness.code({ person, browser });
      const { access_token: token } = await open(person);
      const { pool } = harness.database.db;
      const row = "SELECT * FROM oidc_artifacts WHERE kind = 'Session' AND user_id = $1";
      const { rows } = await pool.query<object>(row, [person.id]);
      await harness.api.call('endSession', { token, params: { id: browserOf(await sessions(token))?.id ?? '' } });
      // simulates a request that read the log-in before it ended and stores it afterwards
      await pool.query("DELETE FROM oidc_artifacts WHERE kind = 'Session' AND user_id = $1", [person.id]);
      await pool.query('INSERT INTO oidc_artifacts SELECT * FROM jsonb_populate_recordset(NULL::oidc_artifacts, $1)', [
        JSON.stringify(rows.map((one) => ({ ...one, hash: `\\x${(one as { hash: Buffer }).hash.toString('hex')}` }))),
      ]);
      const silent = await browser.open(harness.authorizeUrl({ code_challenge: challenge, prompt: 'none' }));
      expect(answerOf(silent)).to.include({ error: 'login_required' });
      expect(browserOf(await sessions(token))).to.equal(undefined);
    });

    it('end by a log-out in the browser, and with all access', async () => {
      const person = await harness.person();
      const [one, other] = [harness.browser(), harness.browser()];
      await harness.code({ person, browser: one });
      await harness.code({ person, browser: other });
      const { access_token: token } = await open(person);
      await one.submit(await one.open('/oidc/logout'), { logout: 'yes' });
      expect((await sessions(token)).data.filter(({ kind }) => kind === 'browser')).to.have.length(1);
      expect((await harness.api.call('logoutEverywhere', { token })).status).to.equal(204);
      const { access_token: next } = await logIn(harness, person.email);
      expect((await sessions(next)).data.map(({ kind }) => kind)).to.deep.equal(['api']);
    });
  });

  describe('consents', () => {
    it('are listed with the client, the scopes of each audience, and their last use', async () => {
      const person = await harness.person();
      const browser = harness.browser();
      const { access_token: token } = await open(person);
      const tokens = await harness.tokens({ person, browser, parameters: offline });
      await harness.tokens({ person, client: adminConsole, parameters: { scope: 'account:read', resource: auth } });
      const list = await consents(token);
      expect(list.data.map(({ client, scopes, current }) => ({ client, scopes, current }))).to.deep.equal([
        {
          client: { id: adminConsole.client_id, name: 'Admin Console' },
          scopes: [{ audience: auth, scopes: ['account:read'] }],
          current: false,
        },
        {
          client: { id: portal.client_id, name: 'Portal <b>' },
          scopes: [
            { audience: null, scopes: ['openid', 'offline_access'] },
            { audience: tasks, scopes: ['tasks:read'] },
          ],
          current: false,
        },
      ]);
      const before = list.data[1]?.last_used_at ?? '';
      expect(await refreshAsPortal(tokens.refresh_token)).to.equal(200);
      expect(Date.parse((await consents(token)).data[1]?.last_used_at ?? '')).to.be.above(Date.parse(before));
      await harness.tokens({ person, browser, parameters: { scope: 'openid tasks:read', resource: tasks } });
      const third = (await consents(token)).data[1]?.last_used_at ?? '';
      expect(Date.parse(third)).to.be.above(Date.parse(before));
      const paged = await consents(token, { limit: '1' });
      expect((await consents(token, { limit: '1', cursor: paged.next_cursor ?? '' })).data).to.deep.equal(
        (await consents(token)).data.slice(1),
      );
    });

    it('end one at a time, with everything that came from them', async () => {
      const person = await harness.person();
      const browser = harness.browser();
      const { access_token: token } = await open(person);
      const parameters = { scope: 'openid offline_access account:read', resource: auth, prompt: 'consent' };
      const tokens = await harness.tokens({ person, browser, parameters });
      const waiting = await harness.code({ person, browser, parameters });
      const other = await harness.tokens({ person, client: adminConsole, parameters });
      const id = sidOf(tokens.access_token);
      expect((await harness.api.call('endConsent', { token, params: { id } })).status).to.equal(204);
      expect(await refreshAsPortal(tokens.refresh_token)).to.equal(400);
      expect((await harness.exchange(waiting)).status).to.equal(400);
      expectProblem(await harness.api.call('me', { token: tokens.access_token }), 'access_revoked');
      const { body } = await harness.asPortal('/oidc/introspect', { token: tokens.access_token });
      expect(body).to.deep.equal({ active: false });
      expectProblem(await harness.api.call('endConsent', { token, params: { id } }), 'not_found');
      // the access of another client and the user's own session continue
      expect((await harness.api.call('me', { token: other.access_token })).status).to.equal(200);
      expect((await consents(token)).data).to.have.length(1);
      const [entry] = await story(person, 'consent.revoke');
      expect(entry).to.deep.include({ subject: { kind: 'client', id: portal.client_id }, client_id: 'first-party' });
      // the client has to ask for consent again
      const page = await browser.open(
        harness.authorizeUrl({ code_challenge: challenge, scope: 'openid account:read', resource: auth }),
      );
      expect(page.text).to.contain('value="allow"');
    });

    it('are not sessions, and sessions are not consents', async () => {
      const person = await harness.person();
      const { access_token: token } = await open(person);
      const { access_token: allowed } = await harness.tokens({ person, parameters: offline });
      const wrong = { token, params: { id: sidOf(allowed) } };
      expectProblem(await harness.api.call('endSession', wrong), 'not_found');
      expectProblem(await harness.api.call('endConsent', { token, params: { id: sidOf(token) } }), 'not_found');
    });
  });

  it("lose the user's place on erasure, and are purged", async () => {
    const person = await harness.person();
    await open(person);
    await harness.code({ person });
    const { token } = await loggedIn(harness, 'admin');
    expect((await harness.api.call('deleteUser', { token, params: { id: person.id } })).status).to.equal(204);
    const { pool } = harness.database.db;
    await pool.query("UPDATE users SET deleted_at = now() - interval '31 days' WHERE id = $1", [person.id]);
    await harness.service.retention.tick();
    const count = async (text: string) => (await pool.query(text, [person.id])).rowCount;
    expect(
      await count('SELECT FROM sessions WHERE user_id = $1 AND (ip IS NOT NULL OR user_agent IS NOT NULL)'),
    ).to.equal(0);
    expect(await count('SELECT FROM browser_logins WHERE user_id = $1')).to.equal(0);

    const other = await harness.person();
    await harness.code({ person: other });
    await pool.query("UPDATE browser_logins SET expires_at = now() - interval '1 s' WHERE user_id = $1", [other.id]);
    await harness.service.retention.tick();
    expect((await pool.query('SELECT FROM browser_logins WHERE user_id = $1', [other.id])).rowCount).to.equal(0);
  });
});
