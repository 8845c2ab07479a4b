import { authRoutes, type Route } from '@taskwire/contracts';
import { expect } from 'chai';
import { decodeJwt } from 'jose';
import { expectProblem } from './support/api.ts';
import { addUser, logIn, password } from './support/auth-harness.ts';
import { createBrowser, pkce, type Browser } from './support/browser.ts';
import { oidcHarness, portal, type OidcHarness } from './support/oidc-harness.ts';

type Operation = keyof typeof authRoutes;

describe('an account whose address is not verified', () => {
  let harness: OidcHarness;
  before(async () => {
    harness = await oidcHarness({ AUTH_REQUIRE_VERIFIED_EMAIL: 'true' });
  });
  after(async () => await harness.stop());

  /** Sets whether the address of an account is verified, as a mailed link does. */
  const setVerified = async (id: string, verified: boolean) =>
    await harness.database.db.pool.query('UPDATE users SET email_verified = $2 WHERE id = $1', [id, verified]);

  const operations = (Object.entries(authRoutes) as [Operation, Route][]).flatMap(([name, { access, path }]) =>
    access.kind === 'user'
      ? [{ name, isOpen: access.unverified === true, isForAnyUser: path.startsWith('/api/v1/users/{id}') }]
      : [],
  );

  for (const role of ['member', 'manager', 'admin'] as const) {
    describe(`with the role ${role}`, () => {
      let token: string;
      let other: { id: string };
      before(async () => {
        const user = await addUser(harness, role);
        other = await addUser(harness, 'member');
        ({ access_token: token } = await logIn(harness, user.email));
      });

      for (const { name, isOpen, isForAnyUser } of operations) {
        if (isOpen && !isForAnyUser) continue;
        it(`is refused by ${name}${isOpen ? ' for other users' : ''}`, async () => {
          const body = name === 'changeUser' ? { body: { name: 'Mallory' } } : {};
          const answer = await harness.api.call(name, { token, params: { id: other.id }, ...body });
          expect(answer.status, answer.text).to.equal(403);
          expectProblem(answer, 'email_not_verified');
        });
      }
    });
  }

  it('can log in and out, and read, change and delete itself', async () => {
    const user = await addUser(harness, 'member');
    const { access_token: token } = await logIn(harness, user.email);
    const params = { id: user.id };
    expect((await harness.api.call('me', { token })).body).to.include({ id: user.id, email_verified: false });
    expect((await harness.api.call('getUser', { token, params })).status).to.equal(200);
    expect((await harness.api.call('changeUser', { token, params, body: { name: 'Rosa' } })).status).to.equal(200);
    const other = await logIn(harness, user.email);
    expect((await harness.api.call('logout', { token: other.access_token })).status).to.equal(204);
    const passwords = { current_password: password, new_password: 'a much better horse battery' };
    const changed = await harness.api.call('changePassword', { token, body: passwords });
    expect(changed.status, changed.text).to.equal(200);
    const { access_token: again } = changed.body as { access_token: string };
    expect((await harness.api.call('deleteUser', { token: again, params })).status).to.equal(204);
  });

  it("can't make itself an admin", async () => {
    const user = await addUser(harness, 'admin');
    const { access_token: token } = await logIn(harness, user.email);
    const answer = await harness.api.call('changeUser', { token, params: { id: user.id }, body: { role: 'manager' } });
    expectProblem(answer, 'email_not_verified');
  });

  it('gets full access with the same token once it is verified, and loses the access if the verification is withdrawn', async () => {
    const user = await addUser(harness, 'manager');
    const { access_token: token } = await logIn(harness, user.email);
    await setVerified(user.id, true);
    expect((await harness.api.call('listUsers', { token })).status).to.equal(200);
    await setVerified(user.id, false);
    expectProblem(await harness.api.call('listUsers', { token }), 'email_not_verified');
  });

  it('is restricted only where the operator requires it', async () => {
    const user = await addUser(harness, 'manager');
    const lenient = await harness.replica({ AUTH_REQUIRE_VERIFIED_EMAIL: 'false' });
    const { access_token: token } = await logIn(harness, user.email);
    expect((await lenient.api.call('listUsers', { token })).status).to.equal(200);
  });

  it("has tokens that say so, for services that don't know the user yet", async () => {
    const user = await addUser(harness, 'member');
    const session = await logIn(harness, user.email);
    expect(decodeJwt(session.access_token)).to.include({ email_verified: false });
    await setVerified(user.id, true);
    const body = { refresh_token: session.refresh_token };
    const refreshed = (await harness.api.call('refresh', { body })).body as { access_token: string };
    expect(decodeJwt(refreshed.access_token)).to.include({ email_verified: true });
  });

  describe('a client of an unverified account', () => {
    const authorize = (more: Record<string, string> = {}) =>
      harness.authorizeUrl({ code_challenge: pkce().challenge, ...more });
    const parametersOf = (url: string) => Object.fromEntries(new URL(url).searchParams);

    async function begin(browser: Browser, email: string) {
      return await browser.submit(await browser.open(authorize()), { email, password, decision: 'log_in' });
    }

    it('gets no code: a page asks for the verification first, and continues to consent after it', async () => {
      const person = await addUser(harness, 'member');
      const browser = harness.browser();
      const page = await begin(browser, person.email);
      expect(page.status).to.equal(200);
      expect(page.text).to.contain('once your address is verified').and.contain('<a href="/oidc/account/resend">');
      expect(page.text).to.contain('Portal &lt;b&gt;').and.contain(person.email);
      const early = await browser.submit(page, { decision: 'go_on' });
      expect(early.status).to.equal(403);
      expect(early.text).to.contain('Open the link in the mail first').and.contain('role="alert"');
      await setVerified(person.id, true);
      const consent = await browser.submit(early, { decision: 'go_on' });
      expect(consent.text).to.contain('value="allow"');
      const done = await browser.submit(consent, { decision: 'allow' });
      expect(parametersOf(done.url)).to.have.property('code');
    });

    it('gets no code by a form of another step', async () => {
      const person = await addUser(harness, 'member');
      const browser = harness.browser();
      const page = await begin(browser, person.email);
      for (const decision of ['allow', 'log_in']) {
        const answer = await browser.submit(page, { decision, email: person.email, password });
        expect(answer.status, decision).to.equal(400);
      }
    });

    it('gets a denial if the user cancels', async () => {
      const person = await addUser(harness, 'member');
      const browser = harness.browser();
      const done = await browser.submit(await begin(browser, person.email), { decision: 'cancel' });
      expect(parametersOf(done.url)).to.include({ error: 'access_denied' });
    });

    it('gets nothing silently, although the user consented while the address was verified', async () => {
      const { id, email } = await addUser(harness, 'member', { emailVerified: true });
      const browser = harness.browser();
      const tokens = await harness.tokens({ person: { id, email, password }, browser });
      expect(decodeJwt(tokens.id_token).sub).to.equal(id);
      await setVerified(id, false);
      const silent = await browser.open(authorize({ prompt: 'none' }));
      expect(parametersOf(silent.url)).to.include({ error: 'interaction_required' }).and.not.have.property('code');
      const page = await browser.open(authorize());
      expect(page.text).to.contain('once your address is verified');
    });

    it('has tokens with the current state, even at introspection', async () => {
      const { id, email } = await addUser(harness, 'member', { emailVerified: true });
      const parameters = {
        resource: 'urn:taskwire:tasks',
        scope: 'openid offline_access tasks:read',
        prompt: 'consent',
      };
      const tokens = await harness.tokens({ person: { id, email, password }, parameters });
      expect(decodeJwt(tokens.access_token)).to.include({ email_verified: true });
      await setVerified(id, false);
      const fields = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token };
      const refreshed = (await harness.asPortal('/oidc/token', fields)).body as { access_token: string };
      expect(decodeJwt(refreshed.access_token)).to.include({ email_verified: false });
      const answer = await harness.asPortal('/oidc/introspect', { token: tokens.access_token });
      expect(answer.body).to.include({ active: true, email_verified: false, client_id: portal.client_id });
    });

    it('is asked for nothing where verification is optional', async () => {
      const lenient = await harness.replica({ AUTH_REQUIRE_VERIFIED_EMAIL: 'false' });
      const person = await addUser(harness, 'member');
      const browser = createBrowser(lenient.api.baseUrl);
      const page = await begin(browser, person.email);
      expect(page.text).to.contain('value="allow"');
    });
  });
});
