import { expect } from 'chai';
import { decodeJwt } from 'jose';
import { loggedIn } from './support/auth-harness.ts';
import { oidcHarness, portal, type OidcHarness, type Tokens } from './support/oidc-harness.ts';

const resource = 'urn:taskwire:tasks';

describe('one log-in for userinfo and the API', () => {
  let harness: OidcHarness;
  before(async () => (harness = await oidcHarness()));
  after(async () => await harness.stop());

  const userinfo = async (token: string) =>
    await harness.api.raw('/oidc/userinfo', { headers: { authorization: `Bearer ${token}` } });
  const parameters = { scope: 'openid email offline_access tasks:read', prompt: 'consent', resource };

  it('yields a token for a service that userinfo accepts too, with the consented claims', async () => {
    const { access_token: token, id_token: idToken, person, scope } = await harness.tokens({ parameters });
    expect(scope).to.equal('openid offline_access email tasks:read');
    expect(decodeJwt(token)).to.include({ aud: resource, scope });
    const answer = await userinfo(token);
    expect(answer.body).to.deep.equal({ sub: person.id, email: person.email, email_verified: false });
    expect(answer.headers.get('vary')).to.match(/\bAuthorization\b/);
    expect(decodeJwt(idToken)).to.include({ email: person.email }).and.not.to.have.property('name');
  });

  it('keeps a token at userinfo as narrow as it was refreshed', async () => {
    const { refresh_token: refreshToken } = await harness.tokens({ parameters });
    const refresh = async (scope: string) => {
      const fields = { grant_type: 'refresh_token', refresh_token: refreshToken, scope };
      const answer = await harness.asPortal('/oidc/token', fields);
      expect(answer.status, answer.text).to.equal(200);
      return answer.body as Tokens;
    };
    const withoutEmail = await refresh('openid tasks:read');
    expect((await userinfo(withoutEmail.access_token)).body).to.have.all.keys('sub');
    const forTheApi = await refresh('tasks:read');
    expect(forTheApi.scope).to.equal('tasks:read');
    const refused = await userinfo(forTheApi.access_token);
    expect(refused.status).to.equal(403);
    expect(refused.body).to.include({ error: 'insufficient_scope' });
  });

  it('never makes a token of another service one of Auth', async () => {
    const { access_token: token } = await harness.tokens({ parameters });
    const answer = await harness.api.call('me', { token });
    expect(answer.status).to.equal(401);
  });

  it('ends at userinfo with everything else: revoked, logged out, deleted, expired', async () => {
    const { token: admin } = await loggedIn(harness, 'admin');
    const ends: [string, (tokens: Tokens & { person: { id: string } }) => Promise<unknown>][] = [
      ['revoked', async ({ access_token: token }) => await harness.asPortal('/oidc/revoke', { token })],
      [
        'deleted',
        async ({ person: { id } }) =>
          await harness.api.call('deleteUser', { token: admin, params: { id }, headers: { 'if-match': '*' } }),
      ],
      [
        'ended',
        async ({ access_token: token }) =>
          await harness.database.db.pool.query(
            `UPDATE sessions SET ended_at = now(), end_reason = 'logout' WHERE id = $1`,
            [decodeJwt(token)['sid']],
          ),
      ],
    ];
    for (const [how, end] of ends) {
      const tokens = await harness.tokens({ parameters });
      expect((await userinfo(tokens.access_token)).status).to.equal(200);
      await end(tokens);
      const refused = await userinfo(tokens.access_token);
      expect(refused.status, how).to.equal(401);
      expect(refused.body).to.include({ error: 'invalid_token' });
    }
  });

  it("gives no access to tokens that aren't an application's, or aren't ours", async () => {
    const { token: firstParty } = await loggedIn(harness, 'member');
    const { access_token: good, id_token: idToken } = await harness.tokens({ parameters });
    const [head = '', body = '', signature = ''] = good.split('.');
    const forged = [
      head,
      Buffer.from(JSON.stringify({ ...decodeJwt(good), sub: 'x' })).toString('base64url'),
      signature,
    ];
    for (const token of [firstParty, idToken, forged.join('.'), `${head}.${body}.`, 'a.b.c', '..']) {
      expect((await userinfo(token)).status, token.slice(0, 20)).to.equal(401);
    }
    expect(portal.client_id).to.equal(decodeJwt(good)['client_id']);
  });
});
