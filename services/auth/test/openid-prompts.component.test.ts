import { expect } from 'chai';
import { decodeJwt } from 'jose';
import { pkce, type Browser, type Page } from './support/browser.ts';
import { answerOf, loggedInBrowser, silently } from './support/logged-in-browser.ts';
import { oidcHarness, type OidcHarness, type Tokens } from './support/oidc-harness.ts';

/** The test modules of `oidcc-basic-certification-test-plan` about log-in and consent; "Core" is OpenID Connect Core 1.0. */
describe('the Basic OP profile of OpenID Connect, for users', () => {
  let harness: OidcHarness;
  before(async () => {
    harness = await oidcHarness();
  });
  after(async () => {
    await harness.stop();
  });

  const open = async (
    parameters: Record<string, string | undefined>,
    browser: Browser = harness.browser(),
  ): Promise<Page> => await browser.open(harness.authorizeUrl({ code_challenge: pkce().challenge, ...parameters }));

  describe('prompts (Core section 3.1.2.1, 3.1.2.3)', () => {
    it('oidcc-prompt-login: asks for the password again, and updates auth_time', async () => {
      const { browser, tokens, person } = await loggedInBrowser(harness, 100);
      const page = await open({ prompt: 'login' }, browser);
      expect(page.text).to.contain('<h1>Log in</h1>');
      const { verifier, challenge } = pkce();
      const address = harness.authorizeUrl({ code_challenge: challenge, prompt: 'login', max_age: '3600' });
      const back = await browser.allow(address, { email: person.email, password: person.password });
      const code = { code: answerOf(back)['code'] ?? '', verifier, page: back, person };
      const again = decodeJwt(((await harness.exchange(code)).body as Tokens).id_token);
      expect(again.sub).to.equal(decodeJwt(tokens.id_token).sub);
      expect(again['auth_time']).to.be.at.least(Math.floor(Date.now() / 1000) - 20);
    });

    it('oidcc-prompt-none-not-logged-in: reports to the client without a page', async () => {
      expect(answerOf(await open({ prompt: 'none' }))).to.include({ error: 'login_required', state: 'the state' });
    });

    it('oidcc-prompt-none-logged-in: yields a code without a page, for the same user and log-in', async () => {
      const { browser, tokens } = await loggedInBrowser(harness);
      const again = await silently(harness, browser, { prompt: 'none' });
      expect(decodeJwt(again.id_token).sub).to.equal(decodeJwt(tokens.id_token).sub);
    });

    it('prompt=none without consent is reported to the client (Core section 3.1.2.6)', async () => {
      const { browser } = await loggedInBrowser(harness);
      const page = await open({ prompt: 'none', scope: 'openid email' }, browser);
      expect(answerOf(page)).to.include({ error: 'consent_required' });
    });

    it('prompt=consent asks again', async () => {
      const { browser } = await loggedInBrowser(harness);
      expect((await open({ prompt: 'consent' }, browser)).text).to.contain('value="allow"');
    });

    it('prompt=none combined with another value is invalid', async () => {
      expect(answerOf(await open({ prompt: 'none login' }))).to.include({ error: 'invalid_request' });
    });

    it('oidcc-max-age-1: asks after an older log-in, and the ID token states the time of the new one (Core section 2)', async () => {
      const { browser } = await loggedInBrowser(harness, 100);
      expect((await open({ max_age: '1' }, browser)).text).to.contain('<h1>Log in</h1>');
      expect(answerOf(await open({ max_age: '1', prompt: 'none' }, browser))).to.include({ error: 'login_required' });
    });

    it('oidcc-max-age-10000: asks no one, and each ID token states the time of the one log-in', async () => {
      const { browser } = await loggedInBrowser(harness, 100);
      const [one, two] = [
        await silently(harness, browser, { max_age: '10000' }),
        await silently(harness, browser, { max_age: '9000' }),
      ];
      const at = decodeJwt(one.id_token)['auth_time'];
      expect(at).to.be.within(Date.now() / 1000 - 120, Date.now() / 1000 - 99);
      expect(decodeJwt(two.id_token)['auth_time']).to.equal(at);
    });

    it('oidcc-id-token-hint: accepts only the user of the hint (Core section 3.1.2.1)', async () => {
      const { browser, tokens } = await loggedInBrowser(harness);
      const again = await silently(harness, browser, { prompt: 'none', id_token_hint: tokens.id_token });
      expect(decodeJwt(again.id_token).sub).to.equal(tokens.person.id);
      const other = await harness.tokens();
      const page = await open({ prompt: 'none', id_token_hint: other.id_token }, browser);
      expect(answerOf(page)).to.include({ error: 'login_required' });
      const forged = await open({ prompt: 'none', id_token_hint: `${tokens.id_token.slice(0, -4)}AAAA` }, browser);
      expect(answerOf(forged)).to.include({ error: 'invalid_request' });
    });
  });
});
