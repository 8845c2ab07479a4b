import { expect } from 'chai';
import { oidc, SignedOutError, Taskwire } from '../src/index.ts';
import { failureOf } from './failure-of.ts';

const issuer = 'https://taskwire.example.org';
const elsewhere = 'https://app.example.org';

type Answer = { status: number; body?: unknown; url?: string };

/** A page at an address, with a provider that sends these responses. The contents of sessionStorage can be passed to the page after a reload. */
function page(address: string, answers: Answer[], kept = new Map<string, string>(), resource?: string) {
  const visits: URL[] = [];
  const requests: { url: URL; form: URLSearchParams; credentials?: string | undefined }[] = [];
  const browser = {
    location: { href: address, assign: (url: string) => void visits.push(new URL(url)) },
    history: {
      replaceState: (_state: unknown, _unused: string, url: string) => {
        browser.location.href = url;
      },
    },
    sessionStorage: {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => void kept.set(key, value),
      removeItem: (key: string) => void kept.delete(key),
    },
  };
  let ends = 0;
  const auth = oidc({
    clientId: 'front-end',
    redirectUri: `${new URL(address).origin}/callback`,
    scope: 'openid tasks:read',
    ...(resource === undefined ? {} : { resource }),
    onSignedOut: () => (ends += 1),
    browser,
  });
  const client = new Taskwire({
    baseUrl: issuer,
    auth,
    fetch: async (url, init) => {
      const asked = new URL(url);
      requests.push({ url: asked, form: new URLSearchParams(String(init.body)), credentials: init.credentials });
      const { status, body, url: ended } = answers.shift() ?? { status: 500 };
      const response = new Response(body === undefined ? null : JSON.stringify(body), { status });
      const state = asked.searchParams.get('state') ?? '';
      if (ended !== undefined)
        Object.defineProperty(response, 'url', { value: `${ended}&state=${encodeURIComponent(state)}` });
      return await Promise.resolve(response);
    },
  });
  return { auth, client, browser, visits, requests, kept, ends: () => ends };
}

const tokens = (more: object = {}): Answer => ({
  status: 200,
  body: { access_token: 'a1', token_type: 'Bearer', expires_in: 600, ...more },
});
const task: Answer = { status: 200, body: { id: 't' } };
const refused: Answer = { status: 401, body: { code: 'token_expired' } };

/** The page that the provider sends the user back to. */
const returning = (visit: URL | undefined, answer: string) =>
  `${visit?.searchParams.get('redirect_uri')}?${answer}&state=${encodeURIComponent(visit?.searchParams.get('state') ?? '')}`;

describe('A log-in with OpenID Connect from another origin', () => {
  it('leaves the page once for a silent log-in, and returns to its address with tokens', async () => {
    const first = page(`${elsewhere}/tasks?open=1#top`, []);
    expect(await first.auth.start()).to.equal(false);
    const [visit] = first.visits;
    expect(visit?.origin).to.equal(issuer);
    expect(Object.fromEntries(visit?.searchParams ?? [])).to.include({
      ...{
        response_type: 'code',
        client_id: 'front-end',
        prompt: 'none',
        resource: 'urn:taskwire:api',
        code_challenge_method: 'S256',
      },
    });

    const second = page(returning(visit, 'code=c1'), [tokens(), task], first.kept);
    expect(await second.auth.start()).to.equal(true);
    expect(second.browser.location.href).to.equal(`${elsewhere}/tasks?open=1#top`);
    const form = second.requests[0]?.form;
    expect(Object.fromEntries(form ?? [])).to.include({
      grant_type: 'authorization_code',
      code: 'c1',
      client_id: 'front-end',
    });
    const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(form?.get('code_verifier') ?? ''));
    expect(Buffer.from(digest).toString('base64url')).to.equal(visit?.searchParams.get('code_challenge'));
    expect(await second.client.tasks.get('t')).to.deep.equal({ id: 't' });
    expect(second.visits).to.have.lengthOf(0);
    expect(first.kept.size, 'nothing is left behind').to.equal(0);
  });

  it('is for one service if its resource says so, even after the tokens are renewed', async () => {
    const first = page(`${elsewhere}/`, [], undefined, 'urn:taskwire:tasks');
    await first.auth.signIn();
    expect(first.visits[0]?.searchParams.get('resource')).to.equal('urn:taskwire:tasks');
    const answers = [tokens({ refresh_token: 'r1' }), refused, tokens({ access_token: 'a2' }), task];
    const second = page(returning(first.visits[0], 'code=c1'), answers, first.kept, 'urn:taskwire:tasks');
    await second.auth.start();
    await second.client.tasks.get('t');
    const forms = second.requests.filter(({ url }) => url.pathname === '/oidc/token').map(({ form }) => form);
    expect(forms.map((form) => form.get('resource'))).to.deep.equal(['urn:taskwire:tasks', 'urn:taskwire:tasks']);
  });

  it('never leaves the page again after login_required, until the user wants to log in', async () => {
    const first = page(`${elsewhere}/`, []);
    await first.auth.start();
    const second = page(returning(first.visits[0], 'error=login_required'), [], first.kept);
    expect(await second.auth.start()).to.equal(false);
    expect(second.browser.location.href).to.equal(`${elsewhere}/`);
    const third = page(`${elsewhere}/`, [], first.kept);
    expect(await third.auth.start()).to.equal(false);
    expect([...second.visits, ...third.visits]).to.deep.equal([]);
    await third.auth.signIn();
    expect(third.visits[0]?.searchParams.has('prompt')).to.equal(false);
    const fourth = page(returning(third.visits[0], 'code=c2'), [tokens()], first.kept);
    expect(await fourth.auth.start()).to.equal(true);
  });

  it('ignores a response with a foreign state', async () => {
    const first = page(`${elsewhere}/`, []);
    await first.auth.signIn();
    const forged = page(`${elsewhere}/callback?code=stolen&state=x`, [], first.kept);
    expect(await forged.auth.start()).to.equal(false);
    expect(forged.requests).to.have.lengthOf(0);
  });

  it('renews with its refresh token, and reports its end once when that token is no longer valid', async () => {
    const first = page(`${elsewhere}/`, []);
    await first.auth.signIn();
    const dead: Answer = { status: 400, body: { error: 'invalid_grant' } };
    const answers = [
      tokens({ refresh_token: 'r1' }),
      refused,
      tokens({ access_token: 'a2', refresh_token: 'r2' }),
      task,
      refused,
      dead,
    ];
    const second = page(returning(first.visits[0], 'code=c1'), answers, first.kept);
    await second.auth.start();
    await second.client.tasks.get('t');
    expect(second.requests[2]?.form.get('refresh_token')).to.equal('r1');
    expect(await failureOf(second.client.tasks.get('t'))).to.be.instanceOf(SignedOutError);
    expect(await failureOf(second.client.tasks.get('t'))).to.be.instanceOf(SignedOutError);
    expect(second.ends()).to.equal(1);
  });

  it('ends when the access token is refused and there is no refresh token', async () => {
    const first = page(`${elsewhere}/`, []);
    await first.auth.signIn();
    const second = page(returning(first.visits[0], 'code=c1'), [tokens(), refused], first.kept);
    await second.auth.start();
    expect(await failureOf(second.client.tasks.get('t'))).to.be.instanceOf(SignedOutError);
    expect(second.ends()).to.equal(1);
  });

  it('revokes its tokens at sign-out, and does not resume the session', async () => {
    const first = page(`${elsewhere}/`, []);
    await first.auth.signIn();
    const second = page(
      returning(first.visits[0], 'code=c1'),
      [tokens({ refresh_token: 'r1' }), { status: 200 }],
      first.kept,
    );
    await second.auth.start();
    await second.auth.signOut();
    expect(second.requests[1]?.url.pathname).to.equal('/oidc/revoke');
    expect(second.requests[1]?.form.get('token')).to.equal('r1');
    const third = page(`${elsewhere}/`, [], first.kept);
    expect([await third.auth.start(), third.visits.length]).to.deep.equal([false, 0]);
  });
});

describe("A log-in with OpenID Connect on the issuer's own origin", () => {
  const atCallback = (query: string): Answer => ({ status: 200, url: `${issuer}/callback?${query}` });

  it('resumes after a reload with a request that ends at the callback, without leaving the page', async () => {
    const own = page(`${issuer}/app`, [atCallback('code=c1'), tokens(), task]);
    expect(await own.auth.start()).to.equal(true);
    expect(own.requests[0]?.url.searchParams.get('prompt')).to.equal('none');
    expect(own.requests[0]?.credentials).to.equal('include');
    expect(await own.client.tasks.get('t')).to.deep.equal({ id: 't' });
    expect([own.visits.length, own.kept.size]).to.deep.equal([0, 0]);
  });

  it('stays signed out when the provider requires the user, and renews in the same way', async () => {
    const own = page(`${issuer}/app`, [atCallback('error=login_required')]);
    expect(await own.auth.start()).to.equal(false);
    expect(own.visits).to.have.lengthOf(0);
    const renewed = page(`${issuer}/app`, [
      atCallback('code=c1'),
      tokens(),
      refused,
      atCallback('code=c2'),
      tokens({ access_token: 'a2' }),
      task,
    ]);
    await renewed.auth.start();
    expect(await renewed.client.tasks.get('t')).to.deep.equal({ id: 't' });
    expect(renewed.ends()).to.equal(0);
  });
});
