import { expect } from 'chai';
import { EnvError, readEnv } from '@taskwire/env';
import { env } from '../src/env.ts';

const good = {
  DATABASE_URL: 'postgres://auth:secret@localhost/taskwire_auth',
  AMQP_URL: 'amqp://auth:secret@localhost',
  KEY_ENCRYPTION_SECRET: Buffer.alloc(32, 1).toString('base64'),
};
const grants = [{ audience: 'urn:taskwire:auth', scopes: ['users:read'] }];
const client = { client_id: 'tasks', secret_hash: 'x'.repeat(43), grants };

function faultsOf(more: Record<string, string>): string {
  try {
    readEnv(env, { ...good, ...more });
    return '';
  } catch (error) {
    if (error instanceof EnvError) return error.message;
    throw error;
  }
}

describe("Auth's environment", () => {
  it('requires the database, the broker and the key secret, and has defaults for the rest', () => {
    expect(readEnv(env, good)).to.include({ PORT: 3001, ISSUER: 'http://localhost:8080/oidc', PROCESS_ROLE: 'all' });
    const missing = faultsOf({ DATABASE_URL: '', AMQP_URL: '', KEY_ENCRYPTION_SECRET: '' });
    for (const name of Object.keys(good)) expect(missing).to.contain(`${name} is not set`);
  });

  it('accepts 32 bytes of base64 as the key secret, and never repeats it in an error', () => {
    expect(readEnv(env, good).KEY_ENCRYPTION_SECRET).to.deep.equal(Buffer.alloc(32, 1));
    for (const text of ['changeme', Buffer.alloc(16, 1).toString('base64'), Buffer.alloc(33, 1).toString('base64')]) {
      expect(faultsOf({ KEY_ENCRYPTION_SECRET: text }))
        .to.contain('openssl rand')
        .and.not.to.contain(text);
    }
  });

  it('allows no restore period that outlasts the erasure', () => {
    const days = (restore: string, erase: string) =>
      faultsOf({ RESTORE_DELETED_USERS_DAYS: restore, ERASE_DELETED_USERS_DAYS: erase });
    expect(days('8', '7')).to.contain('RESTORE_DELETED_USERS_DAYS: must be at most ERASE_DELETED_USERS_DAYS');
    expect(days('7', '7')).to.equal('');
    expect(days('0', '1')).to.equal('');
    // the default adapts to an ERASE_DELETED_USERS_DAYS that was set before this variable existed
    expect(days('', '1')).to.equal('');
    expect(days('-1', '7')).to.contain('RESTORE_DELETED_USERS_DAYS: must be at least 0');
  });

  it('reads clients and rejects invalid ones', () => {
    const clients = (...list: unknown[]) => ({ OIDC_CLIENTS: JSON.stringify(list) });
    expect(readEnv(env, { ...good, ...clients(client) }).OIDC_CLIENTS[0]).to.deep.include({
      ...client,
      grant_types: ['client_credentials'],
      redirect_uris: [],
    });
    const withScopes = (...scopes: string[]) => ({ ...client, grants: [{ audience: 'urn:taskwire:auth', scopes }] });
    const forPeople = (...scopes: string[]) => ({
      ...withScopes(...scopes),
      grant_types: ['authorization_code'],
      redirect_uris: ['https://portal.example.org/'],
    });
    const jwks = { keys: [{ kty: 'EC', crv: 'P-256', x: 'x', y: 'y' }] };
    const faults: [string, unknown][] = [
      ['twice', [client, client]],
      ['keys or a secret, not both', [{ ...client, jwks }]],
      ['keys or a secret for client_credentials', [{ client_id: 'tasks', grants }]],
      [
        'private or secret key material',
        [{ client_id: 'tasks', grants, jwks: { keys: [{ ...jwks.keys[0], d: 'd' }] } }],
      ],
      ['neither a uuid nor first-party', [{ ...client, client_id: 'first-party' }]],
      ['neither a uuid nor first-party', [{ ...client, client_id: '019aa1b2-0000-7000-8000-0000000000ff' }]],
      ['redirect_uris for authorization_code', [{ ...client, grant_types: ['authorization_code'] }]],
      ['OIDC_CLIENTS.0.grants.0.scopes.1: "admin" is a user scope', [withScopes('users:read', 'admin')]],
      ['OIDC_CLIENTS.0.grants.0.scopes.0: "users:list" is not a service scope', [withScopes('users:list')]],
      ['OIDC_CLIENTS.0.grants.0.scopes.0: "account" is now account:read and account:write', [forPeople('account')]],
      ['OIDC_CLIENTS.0.grants.0.scopes.0: "users:read" is a service scope', [forPeople('users:read')]],
      [
        'OIDC_CLIENTS.0.grants.0.audience: "urn:taskwire:x"',
        [{ ...client, grants: [{ audience: 'urn:taskwire:x', scopes: [] }] }],
      ],
      ['OIDC_CLIENTS.0.introspects.0: "urn:taskwire:x"', [{ ...client, introspects: ['urn:taskwire:x'] }]],
    ];
    for (const [fault, list] of faults) expect(faultsOf(clients(...(list as unknown[])))).to.contain(fault);
    expect(faultsOf({ OIDC_CLIENTS: 'x' })).to.contain('must be JSON');
  });
});
