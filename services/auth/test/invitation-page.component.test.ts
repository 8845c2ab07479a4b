import { expect } from 'chai';
import { addUser, logIn } from './support/auth-harness.ts';
import { createBrowser, type Page } from './support/browser.ts';
import { invitationsHarness, type InvitationsHarness } from './support/invitations-harness.ts';

describe('the invitation page', () => {
  let harness: InvitationsHarness;
  before(async () => {
    harness = await invitationsHarness();
  });
  after(async () => await harness.stop());

  // the Origin that browsers send from pages with no-referrer
  const asBrowser = { origin: 'null', 'sec-fetch-site': 'same-origin' };
  const chosen = 'a much better horse battery';

  function expectSafe({ text, headers }: Page): void {
    expect(text).not.to.match(/<script|<img|src=/);
    expect(headers.get('content-security-policy')).to.contain("default-src 'none'").and.contain("form-action 'self';");
    expect(headers.get('referrer-policy')).to.equal('no-referrer');
    expect(headers.get('cache-control')).to.equal('no-store');
  }

  const browser = (baseUrl = harness.api.baseUrl) => createBrowser(baseUrl);

  it('creates the account with the invited address and the chosen name and password', async () => {
    const email = harness.freshEmail();
    const { id } = await harness.invited(harness.manager, email, { name: '<b>Rosa</b>' });
    const link = await harness.linkOf(id);
    expect(link).to.match(/^http:\/\/localhost:8080\/oidc\/account\/invitation\?token=twl_[\w-]{64}$/);
    const visitor = browser();
    const page = await visitor.open(link);
    expect(page.status).to.equal(200);
    expectSafe(page);
    expect(page.text).to.contain(email).and.contain('value="&lt;b&gt;Rosa&lt;/b&gt;"');
    const done = await visitor.submit(
      page,
      { name: 'Rosa', password: chosen, email: 'mallory@example.org' },
      asBrowser,
    );
    expect(done.status).to.equal(200);
    expectSafe(done);
    expect(done.text).to.contain('Your account is ready');
    const answer = await harness.logIn(email, chosen);
    expect((answer.body as { user: object }).user).to.include({ name: 'Rosa', role: 'member', email_verified: true });
    const twice = await visitor.submit(page, { name: 'Rosa', password: chosen }, asBrowser);
    expect(twice.status).to.equal(422);
    expect(twice.text).to.contain('It was used already');
  });

  it('changes nothing when it is opened, regardless of how often and by whom', async () => {
    const email = harness.freshEmail();
    const { id } = await harness.invited(harness.admin, email);
    const { pathname, search } = new URL(await harness.linkOf(id));
    for (const method of ['GET', 'HEAD', 'GET']) {
      expect((await fetch(`${harness.api.baseUrl}${pathname}${search}`, { method })).status).to.equal(200);
    }
    expect(await harness.rows('SELECT id FROM users WHERE email = $1', [email])).to.deep.equal([]);
    expect((await harness.listed({ state: 'open' })).map((one) => one.id)).to.include(id);
  });

  it('explains an invalid name or password, and keeps the input except the password', async () => {
    const { id } = await harness.invited(harness.admin, harness.freshEmail());
    const visitor = browser();
    const page = await visitor.open(await harness.linkOf(id));
    const wrong = [
      { name: ' ', password: chosen },
      { name: 'Rosa "R"', password: 'short' },
      { name: 'Rosa "R"', password: 'password123' },
    ];
    for (const fields of wrong) {
      const answer = await visitor.submit(page, fields, asBrowser);
      expect(answer.status, JSON.stringify(fields)).to.equal(422);
      expect(answer.text).to.contain('role="alert"').and.not.contain(fields.password);
      if (fields.name !== ' ') expect(answer.text).to.contain('value="Rosa &quot;R&quot;"');
    }
    expect((await visitor.submit(page, { name: 'Rosa', password: chosen }, asBrowser)).status).to.equal(200);
  });

  it('rejects a form submitted from another site or another browser', async () => {
    const email = harness.freshEmail();
    const { id } = await harness.invited(harness.admin, email);
    const link = await harness.linkOf(id);
    const visitor = browser();
    const page = await visitor.open(link);
    const fields = { name: 'Mallory', password: chosen };
    const crossSite = { origin: 'https://evil.example.com', 'sec-fetch-site': 'cross-site' };
    expect((await visitor.submit(page, fields, crossSite)).status).to.equal(403);
    expect((await browser().submit(page, fields, asBrowser)).status).to.equal(403);
    expect(await harness.rows('SELECT id FROM users WHERE email = $1', [email])).to.deep.equal([]);
  });

  it('shows why an invitation is not valid', async () => {
    const email = harness.freshEmail();
    const { id } = await harness.invited(harness.admin, email);
    const link = await harness.linkOf(id);
    await addUser(harness, 'member', { email });
    const visitor = browser();
    const taken = await visitor.submit(await visitor.open(link), { name: 'Rosa', password: chosen }, asBrowser);
    expect(taken.status).to.equal(409);
    expect(taken.text).to.contain('already exists').and.contain('/oidc/account/forgot');
    await harness.revoke(harness.admin, id);
    expect((await visitor.open(link)).text).to.contain('It was revoked');
    const forged = await visitor.open('/oidc/account/invitation?token=twl_x');
    expect(forged.status).to.equal(422);
    expect((await visitor.open('/oidc/account/invitation')).status).to.equal(422);
    const off = await harness.replica({ REGISTRATION: 'off' });
    const closed = await browser(off.api.baseUrl).open(link);
    expect(closed.status).to.equal(403);
    expect(closed.text).to.contain('Registration is closed');
    await logIn(harness, email);
  });
});
