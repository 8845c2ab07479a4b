import { expect } from 'chai';
import { actionOf, hiddenFields, pkce } from './support/browser.ts';
import { oidcHarness, type OidcHarness } from './support/oidc-harness.ts';

describe('attacks on the pages of the OpenID provider', () => {
  let harness: OidcHarness;
  before(async () => {
    harness = await oidcHarness();
  });
  after(async () => {
    await harness.stop();
  });

  const errorOf = (url: string) => new URL(url).searchParams.get('error');
  const challenge = pkce().challenge;

  describe('the forms', () => {
    it("are rejected from another site, without this step's token, or with another token (RFC 9700 section 4.7)", async () => {
      const person = await harness.person();
      const login = { ...person, decision: 'log_in' };
      const browser = harness.browser();
      const page = await browser.open(harness.authorizeUrl({ code_challenge: challenge }));
      const foreign = await browser.submit(page, login, { origin: 'https://evil.example' });
      expect(foreign.status).to.equal(403);
      const hidden = hiddenFields(page.text);
      for (const form_token of ['', 'x'.repeat(hidden['form_token']?.length ?? 0)]) {
        expect((await browser.submit(page, { ...login, form_token })).status).to.equal(403);
      }
      const consent = await browser.submit(page, login);
      expect(consent.text).to.contain('value="allow"');
      const forged = await browser.submit(consent, { decision: 'allow', ...hidden });
      expect(forged.status).to.equal(403);
      expect((await browser.submit(consent, { decision: 'allow' })).url).to.contain('code=');
    });

    it('belong to the browser that they were shown to, and are invalid in another', async () => {
      const page = await harness.browser().open(harness.authorizeUrl({ code_challenge: challenge }));
      const other = harness.browser();
      await other.open(harness.authorizeUrl({ code_challenge: challenge }));
      const form = { ...hiddenFields(page.text), ...(await harness.person()), decision: 'log_in' };
      for (const victim of [harness.browser(), other]) {
        const answer = await victim.post(actionOf(page), form, { origin: 'http://localhost:8080' });
        expect(answer.status).to.equal(400);
        const asked = await victim.open(harness.authorizeUrl({ code_challenge: challenge, prompt: 'none' }));
        expect(errorOf(asked.url)).to.equal('login_required');
      }
    });

    it("at log-in don't allow consent to be skipped", async () => {
      const browser = harness.browser();
      const page = await browser.open(harness.authorizeUrl({ code_challenge: challenge }));
      expect((await browser.submit(page, { ...(await harness.person()), decision: 'allow' })).status).to.equal(400);
    });

    it('of a log-out require the token of the session (RP-Initiated Logout 1.0 section 6)', async () => {
      const browser = harness.browser();
      await harness.code({ browser });
      await browser.open('/oidc/logout');
      const forged = await browser.post('/oidc/logout/confirm', { logout: 'yes', xsrf: 'x' });
      expect(forged.status).to.equal(400);
      const page = await browser.open(harness.authorizeUrl({ code_challenge: challenge, prompt: 'none' }));
      expect(page.url).to.contain('code=');
    });

    it("show input as text, never as HTML, and can't be framed", async () => {
      const browser = harness.browser();
      const page = await browser.open(harness.authorizeUrl({ code_challenge: challenge, login_hint: '"><img src=x>' }));
      const again = await browser.submit(page, {
        email: '"><script>alert(1)</script>',
        password: 'x',
        decision: 'log_in',
      });
      expect(again.status).to.equal(401);
      for (const { text, headers } of [page, again]) {
        expect(text).not.to.match(/<script|<img/);
        const policy = headers.get('content-security-policy');
        expect(policy).to.contain("default-src 'none'").and.contain("frame-ancestors 'none'").and.not.contain('unsafe');
        expect(policy).to.contain("form-action 'self' https://portal.example.org;");
        expect(headers.get('x-frame-options')).to.equal('SAMEORIGIN');
        expect(headers.get('cache-control')).to.equal('no-store');
      }
      const consent = await browser.submit(again, { ...(await harness.person()), decision: 'log_in' });
      expect(consent.text).to.contain('Portal &lt;b&gt;');
    });

    it('that are huge or malformed are rejected', async () => {
      const browser = harness.browser();
      const page = await browser.open(harness.authorizeUrl({ code_challenge: challenge }));
      expect((await browser.submit(page, { email: 'x'.repeat(20_000) })).status).to.equal(413);
      const json = await browser.submit(
        page,
        {},
        { 'content-type': 'application/json', origin: 'http://localhost:8080' },
      );
      expect(json.status).to.equal(415);
    });
  });

  describe('browser sessions', () => {
    const cookieOf = (browser: ReturnType<OidcHarness['browser']>) => browser.cookies.get('taskwire_session /')?.value;

    it('get a new id at log-in, so a planted one is worthless (OWASP session fixation)', async () => {
      const browser = harness.browser();
      await browser.open(harness.authorizeUrl({ code_challenge: challenge }));
      const planted = cookieOf(browser);
      await harness.code({ browser });
      expect(cookieOf(browser)).to.be.a('string').and.not.to.equal(planted);
    });

    it("have signed cookies that scripts can't read and other sites don't send", async () => {
      const answer = await fetch(`${harness.api.baseUrl}${harness.authorizeUrl({ code_challenge: challenge })}`, {
        redirect: 'manual',
      });
      const cookies = answer.headers.getSetCookie();
      expect(cookies).to.have.length.above(3);
      for (const cookie of cookies) expect(cookie.toLowerCase()).to.contain('httponly').and.contain('samesite=lax');
      const browser = harness.browser();
      await harness.code({ browser });
      browser.cookies.set('taskwire_session.sig /', { value: 'x'.repeat(27), path: '/' });
      const page = await browser.open(harness.authorizeUrl({ code_challenge: challenge, prompt: 'none' }));
      expect(errorOf(page.url)).to.equal('login_required');
    });

    it("can't be entered by guessing: wrong passwords count as in the JSON API, and reveal nothing about the account", async () => {
      const known = await harness.person();
      const texts = new Set<string>();
      for (const email of [known.email, 'unknown@example.org']) {
        const browser = harness.browser();
        const page = await browser.open(harness.authorizeUrl({ code_challenge: challenge }));
        const answer = await browser.submit(page, { email, password: 'wrong password', decision: 'log_in' });
        expect(answer.status).to.equal(401);
        texts.add(/<p class="error"[^>]*>(.*?)<\/p>/.exec(answer.text)?.[1] ?? '');
      }
      expect([...texts]).to.have.length(1);
      const browser = harness.browser();
      const page = await browser.open(harness.authorizeUrl({ code_challenge: challenge }));
      const statuses: number[] = [];
      for (let guess = 0; guess < 12; guess++) {
        statuses.push(
          (await browser.submit(page, { email: known.email, password: `guess ${guess}`, decision: 'log_in' })).status,
        );
      }
      expect(statuses.at(-1)).to.equal(429);
    });
  });
});
