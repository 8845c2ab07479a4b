import { expect } from 'chai';
import { EnvError, readEnv } from '@taskwire/env';
import { env } from '../src/env.ts';

const good = {
  DATABASE_URL: 'postgres://auth:secret@localhost/taskwire_auth',
  AMQP_URL: 'amqp://auth:secret@localhost',
  KEY_ENCRYPTION_SECRET: Buffer.alloc(32, 1).toString('base64'),
};
const client = {
  client_id: 'tasks',
  client_secret: 'x'.repeat(32),
  grants: [{ audience: 'urn:taskwire:auth', scopes: ['users:read'] }],
};

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
  it('needs the database, the broker and the key secret; the rest has defaults', () => {
    expect(readEnv(env, good)).to.include({ PORT: 3001, ISSUER: 'http://localhost:8080/oidc', PROCESS_ROLE: 'all' });
    const missing = faultsOf({ DATABASE_URL: '', AMQP_URL: '', KEY_ENCRYPTION_SECRET: '' });
    for (const name of Object.keys(good)) expect(missing).to.contain(`${name} is not set`);
  });

  it('takes 32 bytes of base64 as the key secret, and repeats it in no fault', () => {
    expect(readEnv(env, good).KEY_ENCRYPTION_SECRET).to.deep.equal(Buffer.alloc(32, 1));
    for (const text of ['changeme', Buffer.alloc(16, 1).toString('base64'), Buffer.alloc(33, 1).toString('base64')]) {
      expect(faultsOf({ KEY_ENCRYPTION_SECRET: text }))
        .to.contain('openssl rand')
        .and.not.to.contain(text);
    }
  });

  it('reads the clients of services, and refuses short secrets and doubles without repeating them', () => {
    const clients = (list: unknown) => ({ M2M_CLIENTS: JSON.stringify(list) });
    expect(readEnv(env, { ...good, ...clients([client]) }).M2M_CLIENTS).to.deep.equal([client]);
    const short = faultsOf(clients([{ ...client, client_secret: 'short-secret' }]));
    expect(short).to.contain('M2M_CLIENTS.0.client_secret').and.not.to.contain('short-secret');
    expect(faultsOf(clients([client, client]))).to.contain('twice');
    expect(faultsOf({ M2M_CLIENTS: 'x' })).to.contain('must be JSON');
  });
});
