import { expect } from 'chai';
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import {
  authHarness,
  basic,
  cheapPasswords,
  loggedIn,
  notificationsClient,
  scopelessClient,
  serviceToken,
  tasksClient,
  type AuthHarness,
} from './support/auth-harness.ts';

describe('tokens for services', () => {
  let harness: AuthHarness;
  before(async () => {
    harness = await authHarness({}, { passwords: cheapPasswords() });
  });
  after(async () => {
    await harness.stop();
  });

  const grant = { grant_type: 'client_credentials' };
  const ask = async (
    fields: Record<string, string> | string,
    headers: Record<string, string> = basic(tasksClient.client_id, tasksClient.client_secret),
  ) => await harness.api.form('/oidc/token', fields, headers);

  it('are JWTs of RFC 9068 that verify against the JWKS, for one audience', async () => {
    const answer = await ask({ ...grant, scope: 'users:read', resource: 'urn:taskwire:auth' });
    expect(answer.status).to.equal(200);
    expect(answer.headers.get('cache-control')).to.equal('no-store');
    const body = answer.body as { access_token: string };
    expect(body).to.include({ token_type: 'Bearer', expires_in: 600, scope: 'users:read' });
    const keys = createRemoteJWKSet(new URL(`${harness.api.baseUrl}/oidc/jwks`));
    const { payload } = await jwtVerify(body.access_token, keys, {
      issuer: 'http://localhost:8080/oidc',
      audience: 'urn:taskwire:auth',
      typ: 'at+jwt',
    });
    expect(payload).to.include({ sub: 'tasks', client_id: 'tasks', aud: 'urn:taskwire:auth', scope: 'users:read' });
    expect(payload).not.to.have.any.keys('role', 'sid');
  });

  it('are issued for Basic with encoded credentials, with the same client id in the form too', async () => {
    const { client_id, client_secret } = notificationsClient;
    const resource = 'urn:taskwire:tasks';
    expect((await ask({ ...grant, resource }, basic(client_id, client_secret))).status).to.equal(200);
    expect((await ask({ ...grant, resource, client_id }, basic(client_id, client_secret))).status).to.equal(200);
  });

  it('have the requested scopes, or all granted ones', async () => {
    const by = basic(notificationsClient.client_id, notificationsClient.client_secret);
    const resource = 'urn:taskwire:auth';
    const scopes = async (fields: object) =>
      ((await ask({ ...grant, resource, ...fields }, by)).body as { scope: string }).scope;
    expect(await scopes({})).to.equal('users:read account_links:read');
    expect(await scopes({ scope: 'users:read users:read' })).to.equal('users:read');
    const { body } = await ask({ ...grant, resource: 'urn:taskwire:tasks', scope: 'tasks:read' }, by);
    const claims = decodeJwt((body as { access_token: string }).access_token);
    expect(claims).to.include({ aud: 'urn:taskwire:tasks', scope: 'tasks:read' });
  });

  const refusals: [string, string | Record<string, string>, Record<string, string> | undefined, number, string][] = [
    ['a wrong secret', grant, basic('tasks', 'wrong'), 401, 'invalid_client'],
    ['an unknown client', grant, basic('unknown', tasksClient.client_secret), 401, 'invalid_client'],
    ['the secret of another client', grant, basic('tasks', notificationsClient.client_secret), 401, 'invalid_client'],
    ['no authentication', grant, {}, 400, 'invalid_request'],
    ['a client id alone', { ...grant, client_id: 'tasks' }, {}, 401, 'invalid_client'],
    ['a wrong secret in the form', { ...grant, client_id: 'tasks', client_secret: 'wrong' }, {}, 401, 'invalid_client'],
    ['a scheme other than Basic', grant, { authorization: 'Bearer x' }, 400, 'invalid_request'],
    ['Basic that is not base64', grant, { authorization: 'Basic %%%' }, 400, 'invalid_request'],
    ['Basic without a colon', grant, { authorization: 'Basic YWJj' }, 400, 'invalid_request'],
    ['Basic with broken encoding', grant, { authorization: `Basic ${btoa('%zz:%')}` }, 400, 'invalid_request'],
    ['a secret in the form beside Basic', { ...grant, client_secret: 'x' }, undefined, 400, 'invalid_request'],
    ['two ways of authentication', { ...grant, client_assertion: 'x' }, undefined, 400, 'invalid_request'],
    ['a client id that is not the one of Basic', { ...grant, client_id: 'other' }, undefined, 400, 'invalid_request'],
    ['no grant type', { scope: 'users:read' }, undefined, 400, 'invalid_request'],
    ['a parameter sent twice', 'grant_type=client_credentials&scope=a&scope=b', undefined, 400, 'invalid_request'],
    ['another grant type', { grant_type: 'password' }, undefined, 400, 'unsupported_grant_type'],
    ['a scope that is not granted', { ...grant, scope: 'users:read users:write' }, undefined, 400, 'invalid_scope'],
    ['an audience that is not granted', { ...grant, resource: 'urn:taskwire:tasks' }, undefined, 400, 'invalid_target'],
    [
      'no audience although there are several',
      grant,
      basic(notificationsClient.client_id, notificationsClient.client_secret),
      400,
      'invalid_target',
    ],
    [
      'a scope that is granted for another audience',
      { ...grant, resource: 'urn:taskwire:auth', scope: 'tasks:read' },
      basic(notificationsClient.client_id, notificationsClient.client_secret),
      400,
      'invalid_scope',
    ],
  ];
  for (const [what, fields, headers, status, error] of refusals) {
    it(`are refused as RFC 6749 requires: ${what} causes ${error}`, async () => {
      const answer = await ask(fields, headers);
      expect(answer.status).to.equal(status, answer.text);
      expect(answer.body).to.include.keys('error', 'error_description');
      expect(answer.body).to.include({ error });
      expect(answer.headers.get('cache-control')).to.equal('no-store');
      const isBasicWrong = status === 401 && (headers === undefined || 'authorization' in headers);
      expect(answer.headers.get('www-authenticate')?.startsWith('Basic realm=') ?? false).to.equal(isBasicWrong);
    });
  }

  it('are refused if the request is not a form', async () => {
    const answer = await harness.api.raw('/oidc/token', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...basic('tasks', tasksClient.client_secret) },
      body: JSON.stringify(grant),
    });
    expect(answer.status).to.equal(400);
    expect(answer.body).to.include({ error: 'invalid_request' });
  });

  describe('tokens of services and of users', () => {
    it('give access to their own paths only', async () => {
      const service = await serviceToken(harness);
      const user = await loggedIn(harness, 'admin');
      const params = { id: user.id };
      for (const operation of ['me', 'listUsers', 'logout'] as const) {
        const answer = await harness.api.call(operation, { token: service });
        expect(answer.status).to.equal(403);
        expect(answer.body).to.include({ code: 'forbidden' });
      }
      for (const operation of ['getInternalUser', 'listInternalUsers'] as const) {
        const answer = await harness.api.call(operation, { token: user.token, params });
        expect(answer.status).to.equal(403);
        expect(answer.body).to.include({ code: 'insufficient_scope' });
      }
      expect((await harness.api.call('getInternalUser', { token: service, params })).status).to.equal(200);
    });

    it('give no access without the scope', async () => {
      const token = await serviceToken(harness, scopelessClient);
      const answer = await harness.api.call('listInternalUsers', { token });
      expect(answer.status).to.equal(403);
      expect(answer.headers.get('www-authenticate')).to.match(/insufficient_scope.*users:read/);
    });
  });
});
