import { expect } from 'chai';
import { waitFor } from '@taskwire/testing';
import type { LinkPurpose } from '../src/domain/account-link.ts';
import { mailer, newPassword, type ReadableLink } from './support/account-harness.ts';
import { expectProblem } from './support/api.ts';
import { logIn, password, serviceToken } from './support/auth-harness.ts';
import { hiddenFields, pkce, type Page } from './support/browser.ts';
import { oidcHarness, type OidcHarness } from './support/oidc-harness.ts';

describe('account pages', () => {
  let harness: OidcHarness;
  before(async () => {
    harness = await oidcHarness({ MAIL_REQUESTS_PER_IP: '20' }, [mailer.settings]);
  });
  after(async () => {
    await harness.stop();
  });

  /** The newest link of this purpose for a user. */
  async function linkOf(userId: string, purpose: LinkPurpose): Promise<string> {
    const id = await waitFor(async () => {
      const { rows } = await harness.database.db.pool.query<{ id: string }>(
        'SELECT id FROM account_links WHERE user_id = $1 AND purpose = $2 AND revoked_at IS NULL ORDER BY id DESC LIMIT 1',
        [userId, purpose],
      );
      return rows[0]?.id;
    });
    const token = await serviceToken(harness, mailer);
    return ((await harness.api.call('getAccountLink', { token, params: { id } })).body as ReadableLink).link;
  }

  async function resetLink(person: { id: string; email: string }): Promise<string> {
    await harness.api.call('forgotPassword', { body: { email: person.email } });
    return await linkOf(person.id, 'reset_password');
  }

  function expectSafe({ text, headers }: Page): void {
    expect(text).not.to.match(/<script|<img|src=/);
    expect(headers.get('content-security-policy')).to.contain("default-src 'none'").and.contain("form-action 'self';");
    expect(headers.get('content-security-policy')).to.contain("frame-ancestors 'none'").and.not.contain('unsafe');
    expect(headers.get('referrer-policy')).to.equal('no-referrer');
    expect(headers.get('cache-control')).to.equal('no-store');
  }

  // the Origin that browsers send from pages with no-referrer
  const asBrowser = { origin: 'null', 'sec-fetch-site': 'same-origin' };

  it('lead from the log-in page through the mail to a new password, and end earlier access', async () => {
    const person = await harness.person();
    const browser = harness.browser();
    const login = await browser.open(harness.authorizeUrl({ code_challenge: pkce().challenge }));
    const path = /<a href="([^"]+)">Forgot your password\?<\/a>/.exec(login.text)?.[1] ?? '';
    const forgot = await browser.open(path);
    expectSafe(forgot);
    const sent = await browser.submit(forgot, { email: person.email }, asBrowser);
    expect(sent.text).to.contain('Check your mailbox').and.contain('role="status"');
    const tokens = await harness.tokens({ person, parameters: { scope: 'openid offline_access', prompt: 'consent' } });
    const elsewhere = harness.browser();
    await harness.code({ person, browser: elsewhere });
    const session = await logIn(harness, person.email);

    const link = await linkOf(person.id, 'reset_password');
    const form = await browser.open(link);
    expectSafe(form);
    const short = await browser.submit(form, { new_password: 'short' }, asBrowser);
    expect(short.status).to.equal(422);
    expect(short.text).to.contain('role="alert"').and.contain('aria-invalid="true"');
    const done = await browser.submit(short, { new_password: newPassword }, asBrowser);
    expect(done.status).to.equal(200);
    expect(done.text).to.contain('The password is set');
    for (const page of [short, done]) expectSafe(page);

    expectProblem(await harness.api.call('me', { token: session.access_token }), 'access_revoked');
    const refresh = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token };
    expect((await harness.asPortal('/oidc/token', refresh)).status).to.equal(400);
    const asked = await elsewhere.open(harness.authorizeUrl({ code_challenge: pkce().challenge, prompt: 'none' }));
    expect(new URL(asked.url).searchParams.get('error')).to.equal('login_required');
    const again = await browser.open(link);
    expect(again.status).to.equal(422);
    expect(again.text).to.contain('It was used already').and.contain('/oidc/account/forgot');
    expect(again.text).to.contain('This link was used before').and.not.contain('invalid or has expired');
    expect((await harness.api.call('login', { body: { email: person.email, password } })).status).to.equal(401);
    const login2 = await harness.api.call('login', { body: { email: person.email, password: newPassword } });
    expect(login2.status).to.equal(200);
  });

  const isVerified = async ({ id }: { id: string }) => {
    const { rows } = await harness.database.db.pool.query<{ email_verified: boolean }>(
      'SELECT email_verified FROM users WHERE id = $1',
      [id],
    );
    return rows[0]?.email_verified;
  };

  it('verify an address by a button for a logged-in visitor; opening a link never changes anything', async () => {
    const browser = harness.browser();
    const { person } = await harness.tokens({ browser });
    const link = await linkOf(person.id, 'verify_email');
    for (const method of ['GET', 'HEAD', 'GET']) {
      const { pathname, search } = new URL(link);
      expect((await fetch(`${harness.api.baseUrl}${pathname}${search}`, { method })).status).to.equal(200);
    }
    expect(await isVerified(person)).to.equal(false);
    const page = await browser.open(link);
    expectSafe(page);
    expect(page.text).not.to.contain('password');
    const done = await browser.submit(page, {}, asBrowser);
    expect(done.text).to.contain('The address is verified');
    expect(await isVerified(person)).to.equal(true);
    // the password and the log-in are unchanged
    const silent = await browser.open(harness.authorizeUrl({ code_challenge: pkce().challenge, prompt: 'none' }));
    expect(new URL(silent.url).searchParams.get('code')).to.be.a('string');
    for (const twice of [await browser.submit(page, {}, asBrowser), await harness.browser().open(link)]) {
      expect(twice.status).to.equal(200);
      expect(twice.text).to.contain('The address is verified');
    }
  });

  it("ask a visitor who isn't logged in to set the password, and end everything that the registrant started", async () => {
    const registrant = harness.browser();
    const tokens = await harness.tokens({
      browser: registrant,
      parameters: { scope: 'openid offline_access', prompt: 'consent' },
    });
    const { person } = tokens;
    const link = await linkOf(person.id, 'verify_email');
    const browser = harness.browser();
    const page = await browser.open(link);
    expectSafe(page);
    expect(page.text)
      .to.contain('name="new_password"')
      .and.contain('An admin created an account with this address on 20');
    const without = await browser.submit(page, {}, asBrowser);
    expect(without.status).to.equal(422);
    expect(without.text).to.contain('This browser is not logged in').and.contain('role="alert"');
    expect(await isVerified(person)).to.equal(false);
    const weak = await browser.submit(without, { new_password: 'password1' }, asBrowser);
    expect(weak.status).to.equal(422);
    expect(weak.text).to.contain('too easy to guess');
    const done = await browser.submit(weak, { new_password: newPassword }, asBrowser);
    expect(done.text).to.contain('The address is verified').and.contain('The password is set');
    for (const one of [without, weak, done]) expectSafe(one);
    expect(await isVerified(person)).to.equal(true);

    const refresh = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token };
    expect((await harness.asPortal('/oidc/token', refresh)).status).to.equal(400);
    const asked = await registrant.open(harness.authorizeUrl({ code_challenge: pkce().challenge, prompt: 'none' }));
    expect(new URL(asked.url).searchParams.get('error')).to.equal('login_required');
    expect((await harness.api.call('login', { body: { email: person.email, password } })).status).to.equal(401);
    const login = await harness.api.call('login', { body: { email: person.email, password: newPassword } });
    expect(login.status).to.equal(200);
    const again = await browser.submit(weak, { new_password: newPassword }, asBrowser);
    expect(again.status).to.equal(200);
  });

  it('distinguish an application acting for a user from the user', async () => {
    const resource = 'urn:taskwire:auth';
    const { person, access_token: token } = await harness.tokens({
      parameters: { scope: 'openid account:read account:write', resource },
    });
    const verification = new URL(await linkOf(person.id, 'verify_email')).searchParams.get('token');
    const verified = await harness.api.call('verifyEmail', { token, body: { token: verification } });
    expectProblem(verified, 'new_password_required');
    const params = { id: person.id };
    const body = { email: 'moved-by-application@example.org', current_password: password };
    expectProblem(await harness.api.call('changeUser', { token, params, body }), 'insufficient_scope');
    const session = await logIn(harness, person.email);
    await harness.api.call('changeUser', { token: session.access_token, params, body });
    const confirmation = new URL(await linkOf(person.id, 'confirm_email')).searchParams.get('token');
    const confirmed = await harness.api.call('confirmEmail', { token, body: { token: confirmation } });
    expectProblem(confirmed, 'current_password_required');
  });

  it('recognise the visitor who registered in this browser, although a link from webmail carries no cookie', async () => {
    const body = { email: 'webmail@example.org', password, name: 'Wendy' };
    const registered = await harness.api.call('register', { body });
    const cookie = registered.headers.getSetCookie()[0] ?? '';
    expect(cookie).to.contain('SameSite=Strict');
    const { id } = registered.body as { id: string };
    const browser = harness.browser();
    const page = await browser.open(await linkOf(id, 'verify_email'));
    expect(page.text).to.contain('An account was registered with this address on 20');
    const [name = '', value = ''] = (cookie.split(';')[0] ?? '').split('=');
    browser.cookies.set(`${name} /`, { value, path: '/' });
    const done = await browser.submit(page, {}, asBrowser);
    expect(done.text).to.contain('The address is verified');
    expect((await harness.api.call('login', { body: { email: body.email, password } })).status).to.equal(200);
  });

  it('show the same response for an address with an account, without one, and with a verified one', async () => {
    const texts = new Set<string>();
    for (const name of ['forgot', 'resend']) {
      for (const email of [(await harness.person()).email, 'unknown@example.org']) {
        const browser = harness.browser();
        const sent = await browser.submit(await browser.open(`/oidc/account/${name}`), { email }, asBrowser);
        expect(sent.status).to.equal(200);
        texts.add(sent.text);
      }
    }
    expect([...texts]).to.have.length(2);
  });

  it('explain an invalid address and a used-up limit', async () => {
    const browser = harness.browser();
    const page = await browser.open('/oidc/account/forgot');
    const wrong = await browser.submit(page, { email: '"><script>alert(1)</script>' }, asBrowser);
    expect(wrong.status).to.equal(422);
    expectSafe(wrong);
    expect(wrong.text).to.contain('&quot;&gt;&lt;script&gt;');
    const headers = { ...asBrowser, 'x-forwarded-for': '192.0.2.77' };
    let last = wrong;
    for (let count = 0; count < 21; count++) {
      last = await browser.submit(page, { email: `person-${count}@example.org` }, headers);
    }
    expect(last.status).to.equal(429);
    expect(last.text).to.contain('Too many requests');
    expect(Number(last.headers.get('retry-after'))).to.be.above(0);
  });

  it('confirm a new address for a visitor who is logged in or knows the password, and undo it from the old one', async () => {
    const browser = harness.browser();
    const { person } = await harness.tokens({ browser });
    const session = await logIn(harness, person.email);
    const change = { email: 'moved-by-page@example.org', current_password: password };
    const params = { id: person.id };
    await harness.api.call('changeUser', { token: session.access_token, params, body: change });
    const link = await linkOf(person.id, 'confirm_email');
    expect((await browser.open(link)).text).not.to.contain('name="current_password"');

    const elsewhere = harness.browser();
    const page = await elsewhere.open(link);
    expectSafe(page);
    expect(page.text).to.contain('A user who is logged in to an account asked on 20').and.contain(change.email);
    const without = await elsewhere.submit(page, {}, asBrowser);
    expect(without.text).to.contain('Enter its password').and.contain('role="alert"');
    const wrong = await elsewhere.submit(without, { current_password: 'a guess' }, asBrowser);
    expect([without.status, wrong.status]).to.deep.equal([422, 422]);
    expect(wrong.text).to.contain('Check the current password');
    const done = await elsewhere.submit(wrong, { current_password: password }, asBrowser);
    expect(done.text).to.contain('The address has changed');
    for (const one of [await elsewhere.open(link), await elsewhere.submit(page, {}, asBrowser)]) {
      expect(one.text).to.contain('The address has changed');
    }
    expect((await harness.api.call('login', { body: { email: change.email, password } })).status).to.equal(200);

    const undoing = await linkOf(person.id, 'undo_email');
    const owner = harness.browser();
    const undo = await owner.open(undoing);
    expectSafe(undo);
    expect(undo.text).to.contain(person.email).and.not.contain(change.email);
    expect((await harness.api.call('login', { body: { email: change.email, password } })).status).to.equal(200);
    const undone = await owner.submit(undo, {}, asBrowser);
    expect(undone.text).to.contain('The change is undone');
    const way = /<a href="([^"]+)">Set a new password now<\/a>/.exec(undone.text)?.[1] ?? '';
    const reset = await owner.submit(await owner.open(way), { new_password: newPassword }, asBrowser);
    expect(reset.text).to.contain('The password is set');
    for (const one of [await owner.open(undoing), await owner.submit(undo, {}, asBrowser)]) {
      expect(one.text).to.contain('The change is undone').and.not.contain('token=');
    }
    const login = await harness.api.call('login', { body: { email: person.email, password: newPassword } });
    expect(login.status).to.equal(200);
    for (const one of [done, undone, reset]) expectSafe(one);
  });

  it('accept a new-password form that is submitted twice', async () => {
    const person = await harness.person();
    const browser = harness.browser();
    const page = await browser.open(await resetLink(person));
    const sent = await Promise.all([
      browser.submit(page, { new_password: newPassword }, asBrowser),
      browser.submit(page, { new_password: newPassword }, asBrowser),
    ]);
    for (const { status, text } of sent) {
      expect(status, text).to.equal(200);
      expect(text).to.contain('The password is set');
    }
    const other = await browser.submit(page, { new_password: 'some other horse battery' }, asBrowser);
    expect(other.text).to.contain('It was used already');
  });

  it('reject forms from another site or another browser, and forms without the cookie set when they were shown', async () => {
    const person = await harness.person();
    const link = await resetLink(person);
    const browser = harness.browser();
    const page = await browser.open(link);
    const fields = { ...hiddenFields(page.text), new_password: newPassword };
    const { pathname } = new URL(link);
    const other = harness.browser();
    await other.open(link);
    const forged = [
      await browser.post(pathname, fields, { origin: 'https://evil.example' }),
      await browser.post(pathname, fields, { origin: 'null', 'sec-fetch-site': 'cross-site' }),
      await browser.post(pathname, { ...fields, form_token: '' }),
      await browser.post(pathname, { ...fields, form_token: 'x'.repeat(43) }),
      await other.post(pathname, fields),
      await harness.browser().post(pathname, fields),
    ];
    for (const { status } of forged) expect(status).to.equal(403);
    expect((await browser.post(pathname, fields, asBrowser)).status).to.equal(200);
  });

  it('explain links that never existed, belong to another page, or have ended, and change nothing', async () => {
    const person = await harness.person();
    const verification = await linkOf(person.id, 'verify_email');
    const token = new URL(verification).searchParams.get('token') ?? '';
    const browser = harness.browser();
    for (const address of ['', '?token=', '?token=x&token=y', '?token=twl_%00', `?token=${token}`]) {
      const page = await browser.open(`/oidc/account/reset${address}`);
      expect(page.status, address).to.equal(422);
      expect(page.text).to.contain('It is not one that we sent').and.not.contain('twl_');
    }
    expect((await fetch(`${harness.api.baseUrl}/oidc/account/reset`, { method: 'DELETE' })).status).to.equal(405);
    const first = await resetLink(person);
    await resetLink(person);
    await waitFor(async () => (await browser.open(first)).text.includes('A newer one was sent'));
  });

  it('leave no token in a log line', async () => {
    const person = await harness.person();
    const link = await linkOf(person.id, 'verify_email');
    const browser = harness.browser();
    await browser.submit(await browser.open(link), {}, asBrowser);
    await browser.open(link);
    await browser.submit(await browser.open('/oidc/account/resend'), { email: person.email }, { origin: 'http://x.y' });
    const token = new URL(link).searchParams.get('token') ?? '';
    expect(harness.logLines.join('')).to.contain('/oidc/account/verify').and.not.contain(token);
  });
});
