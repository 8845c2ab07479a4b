import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { decodeJwt, exportJWK, generateKeyPair } from 'jose';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { authCommand } from './auth-command.ts';
import { send } from './front-end.ts';
import { useSuite } from './suite.ts';

// eslint-disable-next-line @typescript-eslint/no-deprecated -- deprecated only to stand out; the suite under test has no TLS
const insecure = { [oauth.allowInsecureRequests]: true };

describe('Tokens for services, with oauth4webapi through the gateway', () => {
  const suite = useSuite();
  const folder = mkdtempSync(join(tmpdir(), 'taskwire-client-'));
  let server: oauth.AuthorizationServer;
  let key: oauth.CryptoKey;
  const client: oauth.Client = { client_id: 'reporter' };

  before(async function () {
    this.timeout(30_000);
    const pair = await generateKeyPair('ES256', { extractable: true });
    key = pair.privateKey;
    writeFileSync(join(folder, 'jwks.json'), JSON.stringify({ keys: [await exportJWK(pair.publicKey)] }));
    const said = await authCommand(
      suite(),
      ...['client', 'add', '--id', 'reporter', '--jwks', join(folder, 'jwks.json')],
      ...['--grant', 'urn:taskwire:auth=users:read', '--grant', 'urn:taskwire:tasks=tasks:read'],
    );
    expect(said).to.equal('added reporter');
    const issuer = new URL(`${suite().url}/oidc`);
    for (const algorithm of ['oidc', 'oauth2'] as const) {
      const response = await oauth.discoveryRequest(issuer, { algorithm, ...insecure });
      server = await oauth.processDiscoveryResponse(issuer, response);
    }
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  async function grant(parameters: Record<string, string>): Promise<oauth.TokenEndpointResponse> {
    const response = await oauth.clientCredentialsGrantRequest(
      server,
      client,
      oauth.PrivateKeyJwt(key),
      parameters,
      insecure,
    );
    return await oauth.processClientCredentialsResponse(server, client, response);
  }

  it('are issued to a client with a key, for one service, with the granted scopes', async () => {
    const { access_token: token, scope } = await grant({ resource: 'urn:taskwire:auth' });
    expect(scope).to.equal('users:read');
    expect(decodeJwt(token)).to.include({ sub: 'reporter', client_id: 'reporter', aud: 'urn:taskwire:auth' });
    expect((await send(suite().serviceUrl('auth'), 'GET', '/users?limit=1', { token })).status).to.equal(200);
    expect(
      (await send(suite().serviceUrl('tasks'), 'GET', `/tasks/${crypto.randomUUID()}`, { token })).status,
    ).to.equal(401);
    expect((await send(suite().url, 'GET', '/api/v1/users/me', { token })).status).to.equal(403);
  });

  it('are valid at several services if the client is registered for all of them, and asks for that', async () => {
    const args = ['--id', 'wide', '--secret', '--grant', 'urn:taskwire:api=users:read,tasks:read'];
    const secret = (await authCommand(suite(), 'client', 'add', ...args)).split(' ').at(-1) ?? '';
    const ask = async (parameters: Record<string, string>) => {
      const [wide, by] = [{ client_id: 'wide' }, oauth.ClientSecretBasic(secret)];
      const response = await oauth.clientCredentialsGrantRequest(server, wide, by, parameters, insecure);
      return await oauth.processClientCredentialsResponse(server, wide, response);
    };
    const { access_token: token, scope } = await ask({ resource: 'urn:taskwire:api' });
    expect(scope).to.equal('users:read tasks:read');
    const request = new Request('http://any.test/', { headers: { authorization: `Bearer ${token}` } });
    for (const audience of ['urn:taskwire:auth', 'urn:taskwire:tasks', 'urn:taskwire:notifications'])
      expect(await oauth.validateJwtAccessToken(server, request, audience, insecure)).to.include({ sub: 'wide' });
    expect((await send(suite().serviceUrl('auth'), 'GET', '/users?limit=1', { token })).status).to.equal(200);
    const missing = `/tasks/${crypto.randomUUID()}`;
    expect((await send(suite().serviceUrl('tasks'), 'GET', missing, { token })).status).to.equal(404);
    const { access_token: narrow } = await ask({ resource: 'urn:taskwire:auth' });
    expect((await send(suite().serviceUrl('tasks'), 'GET', missing, { token: narrow })).status).to.equal(401);
    await authCommand(suite(), 'client', 'remove', '--id', 'wide');
  });

  it('are checked as any resource server checks them (RFC 9068 section 4)', async () => {
    const { access_token: token } = await grant({ resource: 'urn:taskwire:tasks' });
    const request = new Request('http://tasks.test/', { headers: { authorization: `Bearer ${token}` } });
    const claims = await oauth.validateJwtAccessToken(server, request, 'urn:taskwire:tasks', insecure);
    expect(claims).to.include({ sub: 'reporter', scope: 'tasks:read' });
    const wrong = await oauth
      .validateJwtAccessToken(server, request, 'urn:taskwire:auth', insecure)
      .catch((error: unknown) => error);
    expect(wrong).to.be.instanceOf(Error);
  });

  it('are introspected by the service that they are for, and by no other (RFC 7662)', async () => {
    const secretOf = async (...args: string[]) =>
      (await authCommand(suite(), 'client', 'add', ...args, '--secret')).split(' ').at(-1) ?? '';
    const { access_token: token } = await grant({ resource: 'urn:taskwire:tasks' });
    const shown = async (client_id: string, secret: string) => {
      const by = oauth.ClientSecretBasic(secret);
      const response = await oauth.introspectionRequest(server, { client_id }, by, token, insecure);
      return await oauth.processIntrospectionResponse(server, { client_id }, response);
    };
    const secret = await secretOf('--id', 'checker', '--introspect', 'urn:taskwire:tasks');
    const { iat: _, ...claims } = decodeJwt(token);
    expect(await shown('checker', secret)).to.deep.include({ active: true, token_type: 'Bearer', ...claims });
    const other = await secretOf('--id', 'other-checker', '--introspect', 'urn:taskwire:auth');
    expect(await shown('other-checker', other)).to.deep.equal({ active: false });
  });

  it('are issued to openid-client too, which checks more of the server than it must', async () => {
    const config = await openid.discovery(
      new URL(`${suite().url}/oidc`),
      'reporter',
      undefined,
      openid.PrivateKeyJwt(key),
      // eslint-disable-next-line @typescript-eslint/no-deprecated -- as above
      { execute: [openid.allowInsecureRequests] },
    );
    const got = await openid.clientCredentialsGrant(config, { resource: 'urn:taskwire:auth', scope: 'users:read' });
    expect(got).to.include({ token_type: 'bearer', scope: 'users:read' });
    expect(await openid.tokenIntrospection(config, got.access_token)).to.include({ active: true, sub: 'reporter' });
  });

  it('are refused for another service, a further scope, and once the client is removed', async () => {
    const refused = async (parameters: Record<string, string>) => {
      const error = await grant(parameters).catch((reason: unknown) => reason);
      return error instanceof oauth.ResponseBodyError ? error.error : error;
    };
    expect(await refused({ resource: 'urn:taskwire:notifications' })).to.equal('invalid_target');
    expect(await refused({ resource: 'urn:taskwire:auth', scope: 'users:write' })).to.equal('invalid_scope');
    expect(await authCommand(suite(), 'client', 'list')).to.contain('reporter  keys  urn:taskwire:auth=users:read');
    await authCommand(suite(), 'client', 'remove', '--id', 'reporter');
    const response = await oauth.clientCredentialsGrantRequest(
      server,
      client,
      oauth.PrivateKeyJwt(key),
      { resource: 'urn:taskwire:auth' },
      insecure,
    );
    expect(response.status).to.equal(401);
  });

  it('of a client with a secret end with the secret: a new one works, the old one does not', async () => {
    const args = ['--id', 'script', '--secret', '--grant', 'urn:taskwire:auth=users:read'];
    const secretOf = (said: string) => said.split(' ').at(-1) ?? '';
    const before = secretOf(await authCommand(suite(), 'client', 'add', ...args));
    const ask = async (secret: string) => {
      const script = { client_id: 'script' };
      const by = oauth.ClientSecretBasic(secret);
      return (await oauth.clientCredentialsGrantRequest(server, script, by, {}, insecure)).status;
    };
    expect(await ask(before)).to.equal(200);
    const after = secretOf(await authCommand(suite(), 'client', 'rotate-secret', '--id', 'script'));
    expect([await ask(before), await ask(after)]).to.deep.equal([401, 200]);
  });
});
