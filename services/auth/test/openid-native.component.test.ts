import { expect } from 'chai';
import { withSecret } from './support/auth-harness.ts';
import { pkce, type Browser, type Page } from './support/browser.ts';
import { runHere } from './support/command-line.ts';
import { answerOf } from './support/logged-in-browser.ts';
import { oidcHarness, portal, spa, type OidcHarness } from './support/oidc-harness.ts';

/** Addresses that any program on a machine can claim. */
const claimable: [string, string[]][] = [
  ['localhost', ['http://localhost:7777/done']],
  ['loopback-v4', ['http://127.0.0.1/done']],
  ['loopback-v6', ['http://[::1]:7777/done']],
  ['own-scheme', ['org.example.app:/done']],
  ['web-and-localhost', ['http://localhost:5173/done', 'https://app.example.org/done']],
  ['dots-and-hex', ['http://0x7f.1:7777/done']],
];
/** Addresses that any program can claim, but with which native applications may not be registered. */
const localHttps: [string, string[]][] = [
  ['https-localhost', ['https://localhost:7777/done', 'http://localhost:7777/done']],
  ['https-subdomain', ['https://app.localhost/done']],
  ['https-v4', ['https://127.0.0.2/done']],
  ['https-v6', ['https://[::1]/done']],
];
const interactive = { grant_types: ['authorization_code', 'refresh_token'] };
const server = withSecret('local-server', 'a-secret-of-local-server-with-32-characters', []);

describe('public clients with redirect URIs that any program of a machine can claim (RFC 8252 section 8.6)', () => {
  let harness: OidcHarness;
  before(async () => {
    const says = { ...interactive, application_type: 'web' };
    harness = await oidcHarness({}, [
      ...[...claimable, ...localHttps].map(([client_id, redirect_uris]) => ({ ...says, client_id, redirect_uris })),
      { ...says, ...server.settings, redirect_uris: ['http://localhost:7777/done'] },
    ]);
    for (const [id, addresses] of claimable) await addByCommand(`${id}-added`, addresses);
    // as an earlier release stored it
    await harness.database.db.pool.query('INSERT INTO clients (client_id, settings) VALUES ($1, $2)', [
      'stored-before',
      {
        ...{ ...says, client_id: 'stored-before', redirect_uris: ['http://localhost:7777/done'] },
        ...{ grants: [], post_logout_redirect_uris: [] },
      },
    ]);
  });
  after(async () => {
    await harness.stop();
  });

  async function addByCommand(id: string, addresses: string[]): Promise<void> {
    const uris = addresses.flatMap((address) => ['--redirect-uri', address]);
    const added = await runHere(['client', 'add', '--id', id, '--public', ...uris], {
      DATABASE_URL: harness.database.url,
    });
    expect(added.code, added.stderr).to.equal(0);
    expect(added.stdout).to.contain('It is a native app');
  }

  const ask = async (browser: Browser, client: { id: string; uri: string }, more: Record<string, string> = {}) =>
    await browser.open(
      harness.authorizeUrl({
        ...{ client_id: client.id, redirect_uri: client.uri, code_challenge: pkce().challenge },
        ...more,
      }),
    );

  /** A browser whose user is logged in and has granted the client all requested scopes. */
  async function afterConsent(client: { id: string; uri: string }): Promise<Browser> {
    const browser = harness.browser();
    const address = harness.authorizeUrl({
      ...{ client_id: client.id, redirect_uri: client.uri, code_challenge: pkce().challenge },
    });
    const page = await browser.allow(address, await harness.person());
    expect(answerOf(page)['code'], page.text).to.be.a('string');
    return browser;
  }

  const expectConsent = (page: Page) => expect(page.text).to.contain('value="allow"');

  const publicClients = [
    ...claimable.flatMap(([id, addresses]) => [id, `${id}-added`].map((one) => [one, addresses] as const)),
    ...localHttps,
    ['stored-before', ['http://localhost:7777/done']] as const,
  ];
  for (const [id, addresses] of publicClients) {
    it(`get no code silently: ${id}`, async () => {
      for (const uri of addresses) {
        const client = { id, uri };
        const browser = await afterConsent(client);
        const silent = answerOf(await ask(browser, client, { prompt: 'none' }));
        expect(silent).to.include({ error: 'interaction_required' }).and.not.to.have.property('code');
        // nor without prompt=none
        const page = await ask(browser, client);
        expectConsent(page);
        expect(answerOf(await browser.submit(page, { decision: 'allow' }))).to.have.property('code');
      }
    });
  }

  it('exclude clients with web addresses only, and clients that authenticate', async () => {
    const others = [
      { id: spa.client_id, uri: spa.redirectUri },
      { id: portal.client_id, uri: portal.redirectUri },
      { id: server.client_id, uri: 'http://localhost:7777/done' },
    ];
    for (const client of others) {
      const browser = await afterConsent(client);
      expect(answerOf(await ask(browser, client, { prompt: 'none' })), client.id).to.have.property('code');
    }
  });
});
