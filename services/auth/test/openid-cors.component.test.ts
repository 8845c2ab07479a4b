import { expect } from 'chai';
import { basic } from './support/auth-harness.ts';
import { desktop, oidcHarness, portal, spa, type OidcHarness } from './support/oidc-harness.ts';

const listed = 'https://app.example.com';

describe('pages from other origins at the provider', () => {
  let harness: OidcHarness;
  before(async () => (harness = await oidcHarness({ CORS_ORIGINS: `${listed},http://localhost:5173` })));
  after(async () => await harness.stop());

  const spaOrigin = new URL(spa.redirectUri).origin;
  const refresh = { grant_type: 'refresh_token', refresh_token: 'unknown' };

  const token = async (origin: string, client: { client_id: string }) =>
    await harness.api.form('/oidc/token', { ...refresh, client_id: client.client_id }, { origin });

  for (const [whose, origin] of [
    ["the client's own redirect URI", spaOrigin],
    ['CORS_ORIGINS', listed],
    ['the provider itself', 'http://localhost:8080'],
  ] as const) {
    it(`may read responses of the token and revocation endpoints at the origin of ${whose}`, async () => {
      const answers = [
        await token(origin, spa),
        await harness.api.form('/oidc/revoke', { token: 'x', client_id: spa.client_id }, { origin }),
      ];
      expect(answers.map(({ status }) => status)).to.deep.equal([400, 200]);
      expect(answers[0]?.body).to.include({ error: 'invalid_grant' });
      for (const { headers } of answers) {
        expect(headers.get('access-control-allow-origin')).to.equal(origin);
        expect(headers.get('access-control-allow-credentials')).to.equal(null);
        expect(headers.get('vary')).to.match(/\bOrigin\b/);
      }
    });
  }

  it('may read userinfo, and problems with their token there', async () => {
    const { access_token: bearer } = await harness.tokens();
    const { origin } = new URL(portal.redirectUri);
    for (const authorization of [`Bearer ${bearer}`, 'Bearer other']) {
      const answer = await harness.api.raw('/oidc/userinfo', { headers: { authorization, origin } });
      expect(answer.headers.get('access-control-allow-origin')).to.equal(origin);
    }
  });

  it('get an empty response without a type for a revocation, or JSON if they accept nothing else', async () => {
    const parameters = {
      scope: 'openid offline_access account:read',
      prompt: 'consent',
      resource: 'urn:taskwire:auth',
    };
    const tokens = await harness.tokens({ parameters });
    for (const token of [tokens.refresh_token, tokens.access_token, 'unknown']) {
      const answer = await harness.asPortal('/oidc/revoke', { token });
      expect(answer).to.include({ status: 200, text: '' });
      expect(answer.headers.get('content-type')).to.equal(null);
      const accepting = await fetch(`${harness.api.baseUrl}/oidc/revoke`, {
        method: 'POST',
        headers: { ...basic(portal.client_id, portal.client_secret), accept: 'application/json' },
        body: new URLSearchParams({ token }),
      });
      expect(accepting.headers.get('content-type')).to.equal('application/json; charset=utf-8');
      expect(await accepting.text()).to.equal('');
    }
  });

  it('are refused at another origin before the code that they send is consumed', async () => {
    const code = await harness.code();
    for (const origin of [
      spaOrigin,
      'https://evil.example',
      'null',
      `${listed}.evil.example`,
      'http://app.example.com',
    ]) {
      const fields = {
        ...{ grant_type: 'authorization_code', code: code.code, code_verifier: code.verifier },
        redirect_uri: portal.redirectUri,
      };
      const by = basic(portal.client_id, portal.client_secret);
      const answer = await harness.api.form('/oidc/token', fields, { ...by, origin });
      expect(answer.status, origin).to.equal(400);
      expect(answer.headers.get('access-control-allow-origin')).to.equal(null);
      expect((answer.body as { error_description: string }).error_description).to.include('not allowed for client');
    }
    expect((await harness.exchange(code)).status).to.equal(200);
  });

  it('may use any port of the machine for a native client with such redirect URIs, but not its custom scheme', async () => {
    for (const [origin, allowed] of [
      ['http://127.0.0.1:4321', true],
      ['http://localhost:4321', false],
      ['https://127.0.0.1', false],
      ['null', false],
      ['org.example.desktop:', false],
    ] as const) {
      const { headers } = await token(origin, desktop);
      expect(headers.get('access-control-allow-origin') === origin, origin).to.equal(allowed);
    }
  });

  it('may send a preflight with any headers that their libraries add', async () => {
    const asked = 'authorization,content-type,traceparent,sentry-trace,baggage,x-requested-with';
    for (const path of [
      '/oidc/token',
      '/oidc/userinfo',
      '/oidc/revoke',
      '/oidc/jwks',
      '/oidc/.well-known/openid-configuration',
    ]) {
      const headers = {
        origin: spaOrigin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': asked,
      };
      const answer = await harness.api.raw(path, { method: 'OPTIONS', headers });
      expect(answer.status, path).to.equal(204);
      expect(answer.headers.get('access-control-allow-origin')).to.equal(spaOrigin);
      expect(answer.headers.get('access-control-allow-headers')).to.equal(asked);
    }
  });

  it('may read the discovery document and the keys from anywhere, but no page for users', async () => {
    const headers = { origin: 'https://anywhere.example' };
    for (const path of ['/oidc/jwks', '/.well-known/openid-configuration/oidc']) {
      expect((await harness.api.raw(path, { headers })).headers.get('access-control-allow-origin')).to.equal(
        headers.origin,
      );
    }
    for (const path of [harness.authorizeUrl({ prompt: 'none' }), '/oidc/account/forgot', '/oidc/logout']) {
      const answer = await harness.api.raw(path, { headers: { origin: listed }, redirect: 'manual' });
      expect(answer.headers.get('access-control-allow-origin'), path).to.equal(null);
    }
  });
});
