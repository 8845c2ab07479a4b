import { audiences } from '@taskwire/contracts';
import { expect } from 'chai';
import { decodeJwt } from 'jose';
import { addUser, basic, loggedIn, password } from './support/auth-harness.ts';
import { pkce, type Browser, type Page } from './support/browser.ts';
import { answerOf } from './support/logged-in-browser.ts';
import { adminConsole, desktop, oidcHarness, portal, type OidcHarness } from './support/oidc-harness.ts';

const tasks = 'urn:taskwire:tasks';
const auth = 'urn:taskwire:auth';

describe('the consent page', () => {
  let harness: OidcHarness;
  before(async () => {
    harness = await oidcHarness();
  });
  after(async () => {
    await harness.stop();
  });

  type Person = Awaited<ReturnType<OidcHarness['person']>>;
  const { challenge } = pkce();

  function address(client: { client_id: string; redirectUri: string }, parameters: Record<string, string>): string {
    const own = { client_id: client.client_id, redirect_uri: client.redirectUri };
    return harness.authorizeUrl({ code_challenge: challenge, ...own, ...parameters });
  }

  /** Returns the page that a user sees after logging in. */
  async function asked(person: Person, to: string, browser: Browser = harness.browser()): Promise<Page> {
    const page = await browser.open(to);
    return page.text.includes('name="password"') ? await browser.submit(page, { ...person, decision: 'log_in' }) : page;
  }

  const items = ({ text }: Page) => [...text.matchAll(/<li>([^<]*)<\/li>/g)].map(([, item]) => item?.trim());
  const warning = 'class="warning"';

  it('describes every scope in words', async () => {
    const admin = await harness.person('admin');
    for (const [resource, { user }] of Object.entries(audiences)) {
      const page = await asked(
        admin,
        address(adminConsole, { scope: `openid profile email ${user.join(' ')}`, resource }),
      );
      expect(items(page), resource).to.have.length(3 + user.length);
      for (const item of items(page))
        expect(item)
          .to.match(/^\w+,? .*\w$/)
          .and.not.match(/:(read|write)|admin$/);
      expect(new Set(items(page)).size).to.equal(3 + user.length);
    }
  });

  it('shows no scope that the token would lack: unknown scopes, scopes for services, or scopes of another audience', async () => {
    const person = await harness.person('admin');
    const scope = 'openid tasks:read users:read account:write admin <b>x</b> notifications:read __proto__';
    for (const prompt of ['login', 'consent']) {
      const page = await asked(
        person,
        address(portal, { scope: scope.replace('<b>x</b>', 'x'), resource: tasks, prompt }),
      );
      expect(items(page)).to.deep.equal(['know who you are', 'see tasks, and what happened to them']);
      expect(page.text).not.to.contain(warning);
    }
  });

  it('shows all requested scopes again, not only new ones', async () => {
    const browser = harness.browser();
    const person = await harness.person();
    await browser.allow(address(portal, { scope: 'openid tasks:read', resource: tasks }), person);
    const page = await browser.open(address(portal, { scope: 'openid tasks:read tasks:write', resource: tasks }));
    expect(items(page)).to.have.length(3);
  });

  describe('consent to administration', () => {
    const everything = { scope: 'openid account:read admin', resource: auth };

    it('shows a warning with the role, and another button', async () => {
      for (const role of ['admin', 'manager'] as const) {
        const page = await asked(await harness.person(role), address(adminConsole, everything));
        expect(page.text).to.contain(warning).and.contain('Warning: Admin Console wants to administer Taskwire');
        expect(page.text)
          .to.contain(`your role (${role})`)
          .and.match(/>\s*Allow administration\s*</);
      }
      const without = await asked(
        await harness.person('admin'),
        address(adminConsole, { ...everything, scope: 'openid account:read' }),
      );
      expect(without.text).not.to.contain(warning);
    });

    it('is requested each time, whatever was granted before, and never silently', async () => {
      const browser = harness.browser();
      const person = await harness.person('admin');
      const first = await browser.allow(address(adminConsole, everything), person);
      expect(answerOf(first)).to.have.property('code');
      const silent = await browser.open(address(adminConsole, { ...everything, prompt: 'none' }));
      expect(answerOf(silent)).to.include({ error: 'consent_required' });
      const again = await browser.open(address(adminConsole, everything));
      expect(again.text).to.contain(warning);
      const less = await browser.open(address(adminConsole, { ...everything, scope: 'openid account:read' }));
      expect(answerOf(less)).to.have.property('code');
    });

    it('is not offered to members, and their tokens never contain it', async () => {
      const member = await harness.person();
      const page = await asked(member, address(adminConsole, everything));
      expect(page.text).not.to.contain(warning).and.not.contain('delete other people');
      expect(page.text).to.contain('Your role (member) does not allow that');
      const { access_token: token } = await harness.tokens({
        person: member,
        client: adminConsole,
        parameters: everything,
      });
      expect(decodeJwt(token)['scope']).to.equal('openid account:read');
    });

    it('offers nothing to allow if a member is asked for nothing else', async () => {
      const browser = harness.browser();
      const page = await asked(
        await harness.person(),
        address(adminConsole, { scope: 'admin', resource: auth }),
        browser,
      );
      expect(page.text).not.to.contain('value="allow"');
      expect(answerOf(await browser.submit(page, { decision: 'allow' }))).to.include({ error: 'access_denied' });
    });

    it('is requested again after a promotion: consents of a member or manager yield nothing more', async () => {
      const { token } = await loggedIn(harness, 'admin');
      for (const [before, after] of [
        ['member', 'admin'],
        ['manager', 'admin'],
        ['member', 'manager'],
      ] as const) {
        const browser = harness.browser();
        const person = await harness.person(before);
        const parameters = { ...everything, scope: 'openid offline_access account:read admin', prompt: 'consent' };
        const { refresh_token: refreshToken } = await harness.tokens({
          person,
          browser,
          client: adminConsole,
          parameters,
        });
        const change = { token, params: { id: person.id }, body: { role: after } };
        expect((await harness.api.call('changeUser', change)).status).to.equal(200);
        const fields = { grant_type: 'refresh_token', refresh_token: refreshToken };
        const refreshed = await harness.api.form(
          '/oidc/token',
          fields,
          basic(adminConsole.client_id, adminConsole.client_secret),
        );
        const scope = (refreshed.body as { scope?: string }).scope ?? '';
        expect(scope, `${before} to ${after}`).not.to.contain('admin');
        const page = await browser.open(address(adminConsole, everything));
        expect(page.text).to.contain(warning);
        const { access_token: made } = await harness.tokens({
          person,
          browser,
          client: adminConsole,
          parameters: everything,
        });
        expect(decodeJwt(made)).to.include({ scope: 'openid account:read admin', role: after });
      }
    });

    it('covers only what the page showed: a promotion before the form is submitted adds nothing', async () => {
      const browser = harness.browser();
      const person = await harness.person();
      const page = await asked(person, address(adminConsole, everything), browser);
      await harness.database.db.pool.query("UPDATE users SET role = 'admin' WHERE id = $1", [person.id]);
      expect((await browser.submit(page, { decision: 'allow' })).status).to.equal(403);
    });

    it('is impossible for a client that was not granted it', async () => {
      const person = await harness.person('admin');
      const { access_token: token } = await harness.tokens({
        person,
        parameters: { ...everything, scope: 'account:read admin' },
      });
      expect(decodeJwt(token)['scope']).to.equal('account:read');
    });
  });

  it('asks for the new scopes if a user consented to one that no longer exists', async () => {
    const browser = harness.browser();
    const person = await harness.person();
    const parameters = { scope: 'openid offline_access account:read account:write', resource: auth, prompt: 'consent' };
    const tokens = await harness.tokens({ person, browser, parameters });
    const { pool } = harness.database.db;
    const old = "'account:read account:write', 'account'";
    await pool.query(`UPDATE sessions SET payload = replace(payload::text, ${old})::json WHERE user_id = $1`, [
      person.id,
    ]);
    await pool.query(
      `UPDATE refresh_tokens SET payload = replace(refresh_tokens.payload::text, ${old})::json
       FROM sessions WHERE sessions.id = session_id AND user_id = $1`,
      [person.id],
    );
    const refreshed = await harness.asPortal('/oidc/token', {
      grant_type: 'refresh_token',
      refresh_token: tokens.refresh_token,
    });
    expect(refreshed.status).to.equal(400);
    expect(refreshed.body).to.include({ error: 'invalid_scope' });
    const page = await browser.open(address(portal, { scope: 'openid account:read', resource: auth }));
    expect(items(page)).to.have.length(2);
    expect(answerOf(await browser.submit(page, { decision: 'allow' }))).to.have.property('code');
  });

  it('shows only the granted scopes of a native client', async () => {
    const page = await asked(
      await harness.person('admin'),
      address(desktop, { scope: 'openid admin tasks:write', resource: tasks }),
    );
    expect(items(page)).to.have.length(2);
  });

  it('is recorded in the audit log with the scopes of each audience', async () => {
    const person = await harness.person();
    const parameters = { scope: 'openid email tasks:read', resource: tasks };
    await harness.tokens({ person, parameters });
    const { rows } = await harness.database.db.pool.query(
      "SELECT reason, client_id, host(ip) IS NOT NULL AS has_ip, request_id IS NOT NULL AS has_id FROM audit_log WHERE action = 'consent' AND actor_id = $1",
      [person.id],
    );
    expect(rows).to.deep.equal([
      {
        reason: 'openid email; urn:taskwire:tasks: tasks:read',
        client_id: portal.client_id,
        has_ip: true,
        has_id: true,
      },
    ]);
  });

  it('requires an existing account', async () => {
    const browser = harness.browser();
    const { id, email } = await addUser(harness, 'member');
    const page = await asked(
      { id, email, password },
      address(portal, { scope: 'openid tasks:read', resource: tasks }),
      browser,
    );
    await harness.database.db.pool.query(
      'UPDATE users SET deleted_at = clock_timestamp(), password_hash = NULL WHERE id = $1',
      [id],
    );
    expect((await browser.submit(page, { decision: 'allow' })).status).to.equal(400);
  });
});
