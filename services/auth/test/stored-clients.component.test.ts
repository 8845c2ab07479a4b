import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { decodeJwt } from 'jose';
import { basic } from './support/auth-harness.ts';
import { oidcHarness, type OidcHarness } from './support/oidc-harness.ts';

const secret = 'a-secret-of-a-stored-client-with-32-characters';
const auth = 'urn:taskwire:auth';
const tasks = 'urn:taskwire:tasks';

describe('clients registered by command', () => {
  let harness: OidcHarness;
  before(async () => {
    harness = await oidcHarness();
  });
  after(async () => {
    await harness.stop();
  });

  async function store(client_id: string, more: object): Promise<void> {
    const secret_hash = createHash('sha256').update(secret).digest('base64url');
    const settings = {
      client_id,
      secret_hash,
      redirect_uris: [],
      post_logout_redirect_uris: [],
      application_type: 'web',
      ...more,
    };
    await harness.database.db.pool.query('INSERT INTO clients (client_id, settings) VALUES ($1, $2)', [
      client_id,
      settings,
    ]);
  }

  const own = async (id: string, fields: Record<string, string>) => {
    const { body } = await harness.api.form(
      '/oidc/token',
      { grant_type: 'client_credentials', ...fields },
      basic(id, secret),
    );
    return body as { access_token?: string; scope?: string; error?: string };
  };
  const itself = ['client_credentials'];
  const both = {
    grant_types: ['authorization_code', 'refresh_token', ...itself],
    redirect_uris: ['https://both.example.org/'],
  };

  it('get no scope of users on their own behalf, whatever their row contains', async () => {
    await store('greedy', {
      grant_types: itself,
      grants: [{ audience: auth, scopes: ['users:read', 'admin', 'account:read', 'everything'] }],
    });
    expect(await own('greedy', { resource: auth })).to.include({ scope: 'users:read' });
    for (const scope of ['admin', 'account:read', 'everything']) {
      expect(await own('greedy', { resource: auth, scope }), scope).to.include({ error: 'invalid_scope' });
    }
  });

  it('for users and for themselves keep two lists of scopes', async () => {
    const grants = [
      { audience: tasks, scopes: ['tasks:read', 'tasks:write', 'admin'], own_scopes: [] },
      { audience: auth, scopes: ['account:read'], own_scopes: ['users:read'] },
    ];
    await store('both', { ...both, grants });
    expect(await own('both', { resource: tasks, scope: 'tasks:read' })).to.include({ error: 'invalid_scope' });
    expect(await own('both', { resource: auth })).to.include({ scope: 'users:read' });
    const client = { client_id: 'both', client_secret: secret, redirectUri: 'https://both.example.org/' };
    const parameters = { scope: 'openid account:read users:read', resource: auth };
    const { access_token: token } = await harness.tokens({ client, parameters });
    expect(decodeJwt(token)['scope']).to.equal('openid account:read');
  });

  it('get an audience only where it was granted: for users, or for themselves', async () => {
    await store('people-only', { ...both, grants: [{ audience: tasks, scopes: ['tasks:read'] }] });
    expect(await own('people-only', { resource: tasks })).to.include({ error: 'invalid_target' });
  });

  it("with settings that they can't use are named in the log at start-up", async () => {
    await store('outdated', { ...both, grants: [{ audience: tasks, scopes: ['tasks:read', 'tasks'] }] });
    await store('weak', {
      ...both,
      grants: [],
      secret_hash: undefined,
      jwks: { keys: [{ kty: 'EC', crv: 'P-384', x: 'x', y: 'y' }] },
    });
    await harness.replica();
    const lines = harness.logLines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.find(({ client }) => client === 'outdated')).to.deep.include({
      level: 'error',
      field: 'grants.0.scopes.1',
      fault: '"tasks" is now tasks:read and tasks:write; known for urn:taskwire:tasks: tasks:read, tasks:write, admin',
    });
    expect(lines.find(({ client }) => client === 'weak')).to.include({
      level: 'error',
      field: 'jwks.keys.0',
      fault: 'must be a public key for ES256 (EC, P-256), Ed25519 (OKP) or PS256 (RSA)',
    });
    const client = { client_id: 'outdated', client_secret: secret, redirectUri: 'https://both.example.org/' };
    const { access_token: token } = await harness.tokens({
      client,
      parameters: { scope: 'openid tasks:read tasks', resource: tasks },
    });
    expect(decodeJwt(token)['scope']).to.equal('openid tasks:read');
  });
});
