import { expect } from 'chai';
import { createBrowser, type Browser, type Page } from './support/browser.ts';
import { desktop, oidcHarness, portal, type OidcHarness } from './support/oidc-harness.ts';

/** The headers that Chromium, Firefox and Safari send with a request that opens a page. */
const asBrowser = { origin: 'http://localhost:8080', 'sec-fetch-dest': 'document' };
const challenge = 'x'.repeat(43);

describe("the redirect after a form on one of the provider's pages", () => {
  let harness: OidcHarness;
  before(async () => (harness = await oidcHarness()));
  after(async () => await harness.stop());

  /** Returns the URL that a page opens automatically. */
  const onward = ({ text }: Page) =>
    /<meta http-equiv="refresh" content="0;url=([^"]+)"/.exec(text)?.[1]?.replaceAll('&amp;', '&') ?? '';

  async function begin(browser: Browser, parameters: Record<string, string> = {}): Promise<Page> {
    return await browser.open(harness.authorizeUrl({ code_challenge: challenge, ...parameters }));
  }

  async function logIn(browser: Browser, page: Page): Promise<Page> {
    return await browser.submit(page, { ...(await harness.person()), decision: 'log_in' }, asBrowser);
  }

  it('is one of our own pages, which opens the application with a GET, so form-action contains no redirect of the application', async () => {
    for (const decision of ['allow', 'cancel']) {
      const browser = harness.browser();
      const consent = await logIn(browser, await begin(browser));
      expect(consent.text).to.include('value="allow"');
      const decided = await browser.submit(consent, { decision }, asBrowser);
      expect(decided).to.include({ status: 200 });
      expect(decided.headers.get('cache-control')).to.equal('no-store');
      expect(decided.headers.get('referrer-policy')).to.equal('same-origin');
      const policy = decided.headers.get('content-security-policy') ?? '';
      expect(policy).to.include("default-src 'none'").and.include("form-action 'self'").and.not.include('portal');
      const back = new URL(onward(decided));
      expect(back.href.startsWith(`${portal.redirectUri}?`)).to.equal(true);
      expect(back.searchParams.get('state')).to.equal('the state');
      expect(back.searchParams.has(decision === 'allow' ? 'code' : 'error')).to.equal(true);
    }
  });

  it("adds only the application's own redirect URI to the policy of a page with a form", async () => {
    const { headers } = await begin(harness.browser());
    expect(headers.get('content-security-policy')).to.include("form-action 'self' https://portal.example.org;");
  });

  it('goes straight to an app with a custom scheme, which mobile browsers open only directly after a button press', async () => {
    const browser = harness.browser();
    const at = { client_id: desktop.client_id, redirect_uri: 'org.example.desktop:/done' };
    const loggedIn = await logIn(browser, await begin(browser, at));
    const allowed = await browser.submit(loggedIn, { decision: 'allow' }, asBrowser);
    expect(allowed.url).to.match(/^org\.example\.desktop:\/done\?code=/);
  });

  describe('the log-out form', () => {
    async function loggedIn() {
      const browser = createBrowser(harness.api.baseUrl);
      const person = await harness.person();
      const parameters = { scope: 'openid', nonce: 'n' };
      const tokens = await harness.tokens({ browser, person, parameters });
      const asked = {
        id_token_hint: tokens.id_token,
        post_logout_redirect_uri: 'https://portal.example.org/bye',
        state: 'a b',
      };
      const silent = async () => (await begin(browser, { prompt: 'none' })).url;
      const ask = async (fields: Partial<typeof asked> = asked) =>
        await browser.open(`/oidc/logout?${new URLSearchParams(fields).toString()}`);
      const userinfo = async () =>
        (await harness.api.raw('/oidc/userinfo', { headers: { authorization: `Bearer ${tokens.access_token}` } }))
          .status;
      return { browser, ask, silent, userinfo };
    }

    it('changes nothing if the user stays logged in: the application keeps its tokens, consent and log-in', async () => {
      const { browser, ask, silent, userinfo } = await loggedIn();
      const back = await browser.submit(await ask(), {});
      expect(back.url).to.equal('https://portal.example.org/bye?state=a+b');
      const inBrowser = await browser.submit(await ask(), {}, asBrowser);
      expect(onward(inBrowser)).to.equal('https://portal.example.org/bye?state=a+b');
      expect(await userinfo()).to.equal(200);
      expect(await silent()).to.include('code=');
      const { rows } = await harness.database.db.pool.query(
        `SELECT reason, subject_id, actor_id, client_id FROM audit_log WHERE action = 'consent.revoke'`,
      );
      expect(rows).to.deep.equal([]);
    });

    it('reports that no application is waiting, and sends no browser to an unregistered URL', async () => {
      const { browser, ask, userinfo } = await loggedIn();
      expect((await browser.submit(await ask({}), {})).text).to.include('You are still logged in');
      const forged = { post_logout_redirect_uri: 'https://evil.example/', client_id: portal.client_id };
      const page = await browser.submit(await ask(), forged);
      expect(page.text).to.include('You are still logged in');
      expect(await userinfo()).to.equal(200);
    });

    it('ends the log-in with everything obtained through it, and then continues from one of our own pages', async () => {
      const { browser, ask, silent, userinfo } = await loggedIn();
      const page = await browser.submit(await ask(), { logout: 'yes' }, asBrowser);
      expect(page.status).to.equal(200);
      expect(onward(page)).to.equal('https://portal.example.org/bye?state=a+b');
      expect(await userinfo()).to.equal(401);
      expect(await silent()).to.include('login_required');
    });
  });

  describe('requests with long parameters', () => {
    it('repeat a state of 12,000 characters', async () => {
      const browser = harness.browser();
      const state = 'é~'.repeat(1_500);
      const page = await browser.allow(
        harness.authorizeUrl({ code_challenge: challenge, state }),
        await harness.person(),
      );
      expect(new URL(page.url).searchParams.get('state')).to.equal(state);
      const longer = await begin(browser, { state: 'x'.repeat(12_000), prompt: 'none' });
      expect(new URL(longer.url).searchParams.get('state')).to.have.length(12_000);
    });

    it('are accepted as a form, and refused clearly if no URL could hold them', async () => {
      const browser = harness.browser();
      const form = (length: number) => {
        const query = harness.authorizeUrl({ code_challenge: challenge, prompt: 'none', state: 'x'.repeat(length) });
        return Object.fromEntries(new URL(query, 'http://localhost').searchParams);
      };
      for (const length of [5_000, 12_000]) {
        const page = await browser.post('/oidc/authorize', form(length));
        expect(new URL(page.url).searchParams.get('state')).to.have.length(length);
      }
      const refused = await harness.api.form('/oidc/authorize', form(15_000));
      expect(refused.status).to.equal(414);
      expect(refused.body).to.include({ code: 'uri_too_long' });
      const address = `/oidc/authorize?${new URLSearchParams(form(14_000)).toString()}`;
      expect((await harness.api.raw(address)).status).to.equal(414);
    });
  });
});
