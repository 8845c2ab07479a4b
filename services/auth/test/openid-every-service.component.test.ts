import { audiences, audiencesOf, everyService } from '@taskwire/contracts';
import { expect } from 'chai';
import { decodeJwt } from 'jose';
import { createStoredClients } from '../src/postgres/client-rows.ts';
import { systemContext } from '../src/domain/audit-context.ts';
import { basic, loggedIn, withSecret } from './support/auth-harness.ts';
import { pkce, type Browser, type Page } from './support/browser.ts';
import { runHere } from './support/command-line.ts';
import { answerOf } from './support/logged-in-browser.ts';
import { oidcHarness, portal, type OidcHarness, type Tokens, type WebClient } from './support/oidc-harness.ts';

const [auth, tasks, notifications] = ['urn:taskwire:auth', 'urn:taskwire:tasks', 'urn:taskwire:notifications'];
const all = [...audiencesOf(everyService)];
const interactive = { grant_types: ['authorization_code', 'refresh_token'] };

/** Creates a client with a secret derived from its name, and the client's settings. */
function webClient(name: string, grants: object[]): { client: WebClient; settings: object } {
  const redirectUri = `https://${name}.example.org/callback`;
  const { settings, ...client } = withSecret(name, `a-secret-of-${name}-with-32-characters`, []);
  return {
    client: { ...client, redirectUri },
    settings: { ...settings, ...interactive, grants, redirect_uris: [redirectUri] },
  };
}

/** Front ends for every service: the first with administration; the second without, but with administration of accounts through another grant. */
const frontEnd = webClient('front-end', [
  { audience: everyService, scopes: ['tasks:read', 'tasks:write', 'notifications:read', 'account:read', 'admin'] },
]);
const divided = webClient('divided', [
  { audience: everyService, scopes: ['tasks:read', 'account:read'] },
  { audience: auth, scopes: ['admin'] },
]);
/** A front end with a grant for each single service, with all scopes. */
const single = webClient(
  'single',
  Object.entries(audiences).map(([audience, { user }]) => ({ audience, scopes: user })),
);
const reports = withSecret('reports', 'a-secret-of-reports-with-32-characters', [
  { audience: everyService, scopes: ['users:read', 'tasks:read'] },
]);

describe('One token for every service', () => {
  let harness: OidcHarness;
  before(async () => {
    harness = await oidcHarness({}, [...[frontEnd, divided, single].map(({ settings }) => settings), reports.settings]);
  });
  after(async () => {
    await harness.stop();
  });

  type Person = Awaited<ReturnType<OidcHarness['person']>>;
  type Given = {
    scope: string;
    resources: string[];
    person?: Person;
    browser?: Browser;
    more?: Record<string, string>;
  };

  function address(
    { client_id, redirectUri }: WebClient,
    { scope, resources, more }: Given,
    challenge: string,
  ): string {
    const own = { client_id, redirect_uri: redirectUri, code_challenge: challenge };
    const url = harness.authorizeUrl({ ...own, scope, ...more });
    return resources.reduce((text, resource) => `${text}&resource=${encodeURIComponent(resource)}`, url);
  }

  const tokenRequest = async (client: Pick<WebClient, 'client_id' | 'client_secret'>, fields: [string, string][]) =>
    await harness.api.form(
      '/oidc/token',
      new URLSearchParams(fields).toString(),
      basic(client.client_id, client.client_secret),
    );

  const resourceFields = (resources: string[]) => resources.map((resource): [string, string] => ['resource', resource]);

  /** Logs in a user who grants all requested scopes, and exchanges the code. */
  async function exchanged(client: WebClient, given: Given, resources: string[] = []) {
    const { verifier, challenge } = pkce();
    const person = given.person ?? (await harness.person('admin'));
    const page = await (given.browser ?? harness.browser()).allow(address(client, given, challenge), person);
    const refused = answerOf(page)['error'];
    if (refused !== undefined) return { error: refused };
    const { body } = await tokenRequest(client, [
      ['grant_type', 'authorization_code'],
      ['code', answerOf(page)['code'] ?? ''],
      ['code_verifier', verifier],
      ['redirect_uri', client.redirectUri],
      ...resourceFields(resources),
    ]);
    return body as Partial<Tokens> & { error?: string };
  }

  /** Returns the audience and scope of the token, or the error. */
  function summary({
    access_token: token,
    error,
  }: {
    access_token?: string;
    error?: string;
  }): [unknown, unknown] | string {
    if (token === undefined) return error ?? 'nothing';
    const { aud, scope } = decodeJwt(token);
    return [aud, scope];
  }

  const reading = 'tasks:read account:read notifications:read';
  const mixtures: {
    client: WebClient;
    scope: string;
    /** The resources requested at log-in and at the exchange of the code. */
    asked: string[];
    then?: string[];
    result: [unknown, string] | string;
  }[] = [
    {
      client: frontEnd.client,
      scope: reading,
      asked: [everyService],
      result: [all, 'account:read tasks:read notifications:read'],
    },
    { client: frontEnd.client, scope: 'openid tasks:read', asked: [everyService], result: [all, 'openid tasks:read'] },
    // scopes that the client was not granted, or that no service has, are omitted
    {
      client: frontEnd.client,
      scope: 'tasks:read account:write users:read x',
      asked: [everyService],
      result: [all, 'tasks:read'],
    },
    { client: frontEnd.client, scope: 'openid', asked: [everyService], result: 'invalid_scope' },
    // a token for less than the log-in
    { client: frontEnd.client, scope: reading, asked: [everyService], then: [tasks], result: [tasks, 'tasks:read'] },
    { client: frontEnd.client, scope: 'tasks:read', asked: [everyService], then: [auth], result: 'invalid_scope' },
    { client: frontEnd.client, scope: reading, asked: [everyService], then: [tasks, auth], result: 'invalid_target' },
    {
      client: frontEnd.client,
      scope: reading,
      asked: [everyService],
      then: ['urn:taskwire:x'],
      result: 'invalid_target',
    },
    // one service beside every service adds nothing
    {
      client: frontEnd.client,
      scope: reading,
      asked: [everyService, tasks],
      result: [all, 'account:read tasks:read notifications:read'],
    },
    {
      client: frontEnd.client,
      scope: reading,
      asked: [everyService, tasks],
      then: [tasks],
      result: [tasks, 'tasks:read'],
    },
    {
      client: frontEnd.client,
      scope: reading,
      asked: [everyService],
      then: [tasks, everyService],
      result: [all, 'account:read tasks:read notifications:read'],
    },
    // a grant for every service covers each
    { client: frontEnd.client, scope: reading, asked: [tasks], result: [tasks, 'tasks:read'] },
    { client: frontEnd.client, scope: reading, asked: [tasks, auth], then: [auth], result: [auth, 'account:read'] },
    { client: frontEnd.client, scope: reading, asked: [tasks, auth], result: 'invalid_target' },
    // grants for each single service don't cover every service, and neither does a log-in for each
    { client: single.client, scope: reading, asked: [everyService], result: 'invalid_target' },
    { client: frontEnd.client, scope: reading, asked: [tasks], then: [everyService], result: 'invalid_target' },
    {
      client: frontEnd.client,
      scope: reading,
      asked: [tasks, auth, notifications],
      then: [everyService],
      result: 'invalid_target',
    },
    { client: frontEnd.client, scope: reading, asked: [everyService, 'urn:taskwire:x'], result: 'invalid_target' },
    // `admin` applies to every service, or to the one for which it was granted
    { client: frontEnd.client, scope: 'tasks:read admin', asked: [everyService], result: [all, 'admin tasks:read'] },
    { client: divided.client, scope: 'tasks:read admin', asked: [everyService], result: [all, 'tasks:read'] },
    { client: divided.client, scope: 'tasks:read admin', asked: [everyService, auth], result: [all, 'tasks:read'] },
    {
      client: divided.client,
      scope: 'tasks:read admin',
      asked: [everyService, auth],
      then: [auth],
      result: [auth, 'admin'],
    },
    {
      client: divided.client,
      scope: 'account:read admin',
      asked: [everyService],
      then: [auth],
      result: [auth, 'account:read'],
    },
  ];
  for (const { client, scope, asked, then = [], result } of mixtures) {
    const names = (resources: string[]) =>
      resources.map((resource) => resource.replace('urn:taskwire:', '')).join(' + ');
    const request = `${client.client_id}: "${scope}" for ${names(asked)}${then.length === 0 ? '' : `, exchanged for ${names(then)}`}`;
    it(`has the requested resources and scopes (${request})`, async () => {
      expect(summary(await exchanged(client, { scope, resources: asked }, then))).to.deep.equal(result);
    });
  }

  it('is accepted like the tokens of the JSON API, within its scopes, and at userinfo', async () => {
    const person = await harness.person('member');
    const scope = 'openid account:read tasks:read';
    const { access_token: token = '' } = await exchanged(frontEnd.client, { person, scope, resources: [everyService] });
    const { aud } = decodeJwt((await loggedIn(harness, 'member')).token);
    expect(decodeJwt(token).aud).to.deep.equal(aud);
    expect((await harness.api.call('me', { token })).body).to.include({ id: person.id });
    expect((await harness.api.call('listUsers', { token })).status).to.equal(403);
    const info = await harness.api.raw('/oidc/userinfo', { headers: { authorization: `Bearer ${token}` } });
    expect(info.body).to.deep.equal({ sub: person.id });
  });

  describe('with a refresh token', () => {
    const offline = { prompt: 'consent' };
    const scope = `openid offline_access ${reading}`;
    let refreshToken: string;
    beforeEach(async () => {
      const given = { scope, resources: [everyService], more: offline };
      ({ refresh_token: refreshToken = '' } = await exchanged(frontEnd.client, given));
    });

    async function refreshed(...fields: [string, string][]) {
      const request: [string, string][] = [['grant_type', 'refresh_token'], ['refresh_token', refreshToken], ...fields];
      const body = (await tokenRequest(frontEnd.client, request)).body as Partial<Tokens> & { error?: string };
      refreshToken = body.refresh_token ?? refreshToken;
      return summary(body);
    }
    const everything = [all, 'openid offline_access account:read tasks:read notifications:read'];

    it('is renewed with all its scopes, even after a token for one service (RFC 8707 section 2.2)', async () => {
      expect(await refreshed()).to.deep.equal(everything);
      const narrow = [notifications, 'openid offline_access notifications:read'];
      expect(await refreshed(['resource', notifications])).to.deep.equal(narrow);
      expect(await refreshed(['resource', everyService])).to.deep.equal(everything);
      const less: [string, string][] = [
        ['resource', tasks],
        ['scope', 'tasks:read'],
      ];
      expect(await refreshed(...less)).to.deep.equal([tasks, 'tasks:read']);
      expect(await refreshed(['scope', 'tasks:read'])).to.deep.equal([all, 'tasks:read']);
    });

    it('is refused for an unknown resource, two services, and a further scope', async () => {
      expect(await refreshed(['resource', 'urn:taskwire:x'])).to.equal('invalid_target');
      const given = { scope, resources: [everyService], more: offline };
      ({ refresh_token: refreshToken = '' } = await exchanged(frontEnd.client, given));
      expect(await refreshed(['resource', tasks], ['resource', auth])).to.equal('invalid_target');
      ({ refresh_token: refreshToken = '' } = await exchanged(frontEnd.client, given));
      expect(await refreshed(['scope', 'tasks:read admin'])).to.equal('invalid_scope');
    });
  });

  describe('on the consent page', () => {
    const items = ({ text }: Page) => [...text.matchAll(/<li>([^<]*)<\/li>/g)].map(([, item]) => item?.trim());

    async function asked(person: Person, client: WebClient, given: Given, browser = harness.browser()): Promise<Page> {
      const page = await browser.open(address(client, given, pkce().challenge));
      return page.text.includes('name="password"')
        ? await browser.submit(page, { ...person, decision: 'log_in' })
        : page;
    }

    it("shows the access to each service, and administration with each service's meaning and a warning", async () => {
      const person = await harness.person('admin');
      const page = await asked(person, frontEnd.client, { scope: `openid ${reading}`, resources: [everyService] });
      expect(items(page)).to.have.length(4);
      for (const words of ['who you are', 'see your account', 'see tasks', 'see your notifications'])
        expect(items(page).join('\n')).to.contain(words);
      const admin = await asked(person, frontEnd.client, { scope: 'admin', resources: [everyService, tasks] });
      expect(items(admin)).to.have.length(3);
      for (const words of ['audit log', 'failed in Tasks', 'failed in Notifications'])
        expect(items(admin).join('\n')).to.contain(words);
      expect(admin.text).to.contain('class="warning"');
    });

    it('does not offer administration to members, whose tokens lack it at every service', async () => {
      const person = await harness.person('member');
      const given = { person, scope: 'tasks:read admin', resources: [everyService] };
      const page = await asked(person, frontEnd.client, given);
      expect(page.text).to.contain('Your role (member) does not allow that');
      expect(summary(await exchanged(frontEnd.client, given))).to.deep.equal([all, 'tasks:read']);
    });

    it('is stored by service, so that it is asked for once, and is listed by service', async () => {
      const [browser, person] = [harness.browser(), await harness.person('member')];
      const every = { scope: reading, resources: [everyService], person, browser };
      await exchanged(frontEnd.client, every);
      for (const resources of [[everyService], [tasks], [tasks, notifications]]) {
        const silent = { scope: 'tasks:read', resources, more: { prompt: 'none' } };
        const page = await browser.open(address(frontEnd.client, silent, pkce().challenge));
        expect(answerOf(page), resources.join()).to.have.property('code');
      }
      const { body } = await harness.api.call('login', { body: { email: person.email, password: person.password } });
      const { access_token: token } = body as Tokens;
      const consents = (await harness.api.call('listConsents', { token })).body as { data: { scopes: object[] }[] };
      expect(consents.data[0]?.scopes).to.deep.equal([
        { audience: auth, scopes: ['account:read'] },
        { audience: tasks, scopes: ['tasks:read'] },
        { audience: notifications, scopes: ['notifications:read'] },
      ]);
    });

    it('is asked for again if administration was allowed at one service only', async () => {
      const [browser, person] = [harness.browser(), await harness.person('admin')];
      await exchanged(frontEnd.client, { scope: 'admin', resources: [tasks], person, browser });
      const silent = { scope: 'admin', resources: [everyService], more: { prompt: 'none' } };
      const page = await browser.open(address(frontEnd.client, silent, pkce().challenge));
      expect(answerOf(page)).to.include({ error: 'consent_required' });
    });
  });

  describe('for a service itself', () => {
    const own = async (...fields: [string, string][]) =>
      summary((await tokenRequest(reports, [['grant_type', 'client_credentials'], ...fields])).body as Partial<Tokens>);

    it('has the granted scopes of every service, or fewer, and is the default of a client without another grant', async () => {
      expect(await own(['resource', everyService])).to.deep.equal([all, 'users:read tasks:read']);
      expect(await own()).to.deep.equal([all, 'users:read tasks:read']);
      expect(await own(['resource', everyService], ['scope', 'users:read'])).to.deep.equal([all, 'users:read']);
      expect(await own(['resource', tasks])).to.deep.equal([tasks, 'tasks:read']);
    });

    it('is refused beside another resource, at a service without a granted scope, and with a further scope', async () => {
      expect(await own(['resource', everyService], ['resource', tasks], ['scope', 'tasks:read'])).to.equal(
        'invalid_target',
      );
      expect(await own(['resource', notifications])).to.equal('invalid_target');
      expect(await own(['resource', everyService], ['scope', 'account_links:read'])).to.equal('invalid_scope');
      expect(await own(['resource', tasks], ['scope', 'users:read'])).to.equal('invalid_scope');
    });

    it('grants nothing that users must allow, and is refused to a client that acts only for users', async () => {
      const { body } = await tokenRequest(frontEnd.client, [
        ['grant_type', 'client_credentials'],
        ['resource', everyService],
      ]);
      expect(body).to.include({ error: 'invalid_request' });
    });
  });

  it('is granted by the command line, which names the scopes that it can have', async () => {
    const client = async (...args: string[]) =>
      await runHere(['client', ...args], { DATABASE_URL: harness.database.url });
    const args = ['add', '--id', 'by-command', '--public', '--redirect-uri', 'https://by-command.example.org/'];
    const refused = await client(...args, '--grant', `${everyService}=tasks:read,users:read`);
    expect(refused.code).to.equal(2);
    expect(refused.stderr).to.contain(
      `--grant ${everyService}: "users:read" is a service scope, which users cannot grant`,
    );
    expect(await client(...args, '--grant', `${everyService}=tasks:read,notifications:read`)).to.include({ code: 0 });
    expect((await client('list')).stdout).to.contain(
      `by-command  public  ${everyService}=tasks:read,notifications:read`,
    );
    expect(await createStoredClients(harness.database.db).remove('by-command', systemContext)).to.equal(true);
    const introspect = await client('add', '--id', 'x', '--secret', '--introspect', everyService);
    expect(introspect.stderr).to.contain(`--introspect "${everyService}" is not an audience`);
  });

  it('leaves a client free to ask for a token for one service (RFC 8707)', async () => {
    const { access_token: token } = await harness.tokens({
      client: portal,
      parameters: { scope: 'openid account:read', resource: auth },
    });
    expect(decodeJwt(token).aud).to.equal(auth);
  });
});
