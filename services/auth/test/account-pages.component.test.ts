import { expect } from 'chai';
import { waitFor } from '@taskwire/testing';
import { mailer, newPassword, type AnsweredLink } from './support/account-world.ts';
import { expectProblem } from './support/api.ts';
import { logIn, password, serviceToken } from './support/auth-world.ts';
import { createBrowser, hiddenFields, pkce, type Page } from './support/browser.ts';
import { oidcWorld, type OidcWorld } from './support/oidc-world.ts';

describe('the pages of accounts', () => {
  let world: OidcWorld;
  before(async () => {
    world = await oidcWorld({ MAIL_REQUESTS_PER_IP: '20' }, [mailer.settings]);
  });
  after(async () => {
    await world.stop();
  });

  /** The link of this purpose that the person was to be mailed last. */
  async function linkOf(userId: string, purpose: 'verify_email' | 'reset_password'): Promise<string> {
    const id = await waitFor(async () => {
      const { rows } = await world.database.db.pool.query<{ id: string }>(
        'SELECT id FROM account_links WHERE user_id = $1 AND purpose = $2 AND voided_at IS NULL ORDER BY id DESC LIMIT 1',
        [userId, purpose],
      );
      return rows[0]?.id;
    });
    const token = await serviceToken(world, mailer);
    return ((await world.api.call('getAccountLink', { token, params: { id } })).body as AnsweredLink).link;
  }

  async function resetLink(person: { id: string; email: string }): Promise<string> {
    await world.api.call('forgotPassword', { body: { email: person.email } });
    return await linkOf(person.id, 'reset_password');
  }

  function expectSafe({ text, headers }: Page): void {
    expect(text).not.to.match(/<script|<img|src=/);
    expect(headers.get('content-security-policy')).to.contain("default-src 'none'").and.contain("form-action 'self';");
    expect(headers.get('content-security-policy')).to.contain("frame-ancestors 'none'").and.not.contain('unsafe');
    expect(headers.get('referrer-policy')).to.equal('no-referrer');
    expect(headers.get('cache-control')).to.equal('no-store');
  }

  // what browsers say on pages with no-referrer
  const asBrowser = { origin: 'null', 'sec-fetch-site': 'same-origin' };

  it('lead from the log-in over the mail to a new password, and end what was open', async () => {
    const person = await world.person();
    const browser = world.browser();
    const login = await browser.open(world.authorizeUrl({ code_challenge: pkce().challenge }));
    const path = /<a href="([^"]+)">Forgot your password\?<\/a>/.exec(login.text)?.[1] ?? '';
    const forgot = await browser.open(path);
    expectSafe(forgot);
    const sent = await browser.submit(forgot, { email: person.email }, asBrowser);
    expect(sent.text).to.contain('Look into your mailbox').and.contain('role="status"');
    const tokens = await world.tokens({ person, parameters: { scope: 'openid offline_access', prompt: 'consent' } });
    const elsewhere = world.browser();
    await world.code({ person, browser: elsewhere });
    const session = await logIn(world, person.email);

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

    expectProblem(await world.api.call('me', { token: session.access_token }), 'access_revoked');
    const refresh = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token };
    expect((await world.asPortal('/oidc/token', refresh)).status).to.equal(400);
    const asked = await elsewhere.open(world.authorizeUrl({ code_challenge: pkce().challenge, prompt: 'none' }));
    expect(new URL(asked.url).searchParams.get('error')).to.equal('login_required');
    const again = await browser.open(link);
    expect(again.status).to.equal(422);
    expect(again.text).to.contain('It was used already').and.contain('/oidc/account/forgot');
    expect((await world.api.call('login', { body: { email: person.email, password } })).status).to.equal(401);
    const login2 = await world.api.call('login', { body: { email: person.email, password: newPassword } });
    expect(login2.status).to.equal(200);
  });

  it('verify an address by a button: opening a link, however often and by whom, does nothing', async () => {
    const person = await world.person();
    const link = await linkOf(person.id, 'verify_email');
    const isVerified = async () => {
      const { access_token: token } = await logIn(world, person.email);
      return ((await world.api.call('me', { token })).body as { email_verified: boolean }).email_verified;
    };
    for (const method of ['GET', 'HEAD', 'GET']) {
      const { pathname, search } = new URL(link);
      expect((await fetch(`${world.api.baseUrl}${pathname}${search}`, { method })).status).to.equal(200);
    }
    expect(await isVerified()).to.equal(false);
    const browser = world.browser();
    const page = await browser.open(link);
    expectSafe(page);
    const done = await browser.submit(page, {}, asBrowser);
    expect(done.text).to.contain('The address is verified');
    expect(await isVerified()).to.equal(true);
    const twice = await browser.submit(page, {}, asBrowser);
    expect(twice.status).to.equal(422);
    expect(twice.text).to.contain('It was used already').and.contain('/oidc/account/resend');
  });

  it('are where the log-in leads who has not verified the address, where that is asked for', async () => {
    const strict = await world.replica({ AUTH_REQUIRE_VERIFIED_EMAIL: 'true' });
    const browser = createBrowser(strict.api.baseUrl);
    const page = await browser.open(world.authorizeUrl({ code_challenge: pkce().challenge }));
    expect(page.text).not.to.contain('/oidc/account/resend');
    const refused = await browser.submit(page, { ...(await world.person()), decision: 'log_in' });
    expect(refused.status).to.equal(403);
    expect(refused.text).to.contain('<a href="/oidc/account/resend">');
  });

  it('answer alike for an address that has an account, that has none, and that is verified', async () => {
    const texts = new Set<string>();
    for (const name of ['forgot', 'resend']) {
      for (const email of [(await world.person()).email, 'nobody@example.org']) {
        const browser = world.browser();
        const sent = await browser.submit(await browser.open(`/oidc/account/${name}`), { email }, asBrowser);
        expect(sent.status).to.equal(200);
        texts.add(sent.text);
      }
    }
    expect([...texts]).to.have.length(2);
  });

  it('say what is wrong with an address, and when there were too many', async () => {
    const browser = world.browser();
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

  it('take no form of another site, of another browser, or without the cookie that it was shown with', async () => {
    const person = await world.person();
    const link = await resetLink(person);
    const browser = world.browser();
    const page = await browser.open(link);
    const fields = { ...hiddenFields(page.text), new_password: newPassword };
    const { pathname } = new URL(link);
    const other = world.browser();
    await other.open(link);
    const forged = [
      await browser.post(pathname, fields, { origin: 'https://evil.example' }),
      await browser.post(pathname, fields, { origin: 'null', 'sec-fetch-site': 'cross-site' }),
      await browser.post(pathname, { ...fields, form_token: '' }),
      await browser.post(pathname, { ...fields, form_token: 'x'.repeat(43) }),
      await other.post(pathname, fields),
      await world.browser().post(pathname, fields),
    ];
    for (const { status } of forged) expect(status).to.equal(403);
    expect((await browser.post(pathname, fields, asBrowser)).status).to.equal(200);
  });

  it('tell of links that were never made, are for another page, or have ended, and change nothing', async () => {
    const person = await world.person();
    const verification = await linkOf(person.id, 'verify_email');
    const token = new URL(verification).searchParams.get('token') ?? '';
    const browser = world.browser();
    for (const address of ['', '?token=', '?token=x&token=y', '?token=twl_%00', `?token=${token}`]) {
      const page = await browser.open(`/oidc/account/reset${address}`);
      expect(page.status, address).to.equal(422);
      expect(page.text).to.contain('It is not one that was sent').and.not.contain('twl_');
    }
    expect((await fetch(`${world.api.baseUrl}/oidc/account/reset`, { method: 'DELETE' })).status).to.equal(405);
    const first = await resetLink(person);
    await resetLink(person);
    await waitFor(async () => (await browser.open(first)).text.includes('A newer one was sent'));
  });

  it('leave no token in a log line', async () => {
    const person = await world.person();
    const link = await linkOf(person.id, 'verify_email');
    const browser = world.browser();
    await browser.submit(await browser.open(link), {}, asBrowser);
    await browser.open(link);
    await browser.submit(await browser.open('/oidc/account/resend'), { email: person.email }, { origin: 'http://x.y' });
    const token = new URL(link).searchParams.get('token') ?? '';
    expect(world.logLines.join('')).to.contain('/oidc/account/verify').and.not.contain(token);
  });
});
