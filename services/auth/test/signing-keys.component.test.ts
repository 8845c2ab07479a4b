import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { decodeProtectedHeader } from 'jose';
import { testDatabase, waitFor, type TestDatabase } from '@taskwire/testing';
import { migrations } from '../src/migrations.ts';
import { createSealedKeys } from '../src/postgres/signing-key-rows.ts';
import { createSigningKeys } from '../src/tokens/signing-keys.ts';
import { authWorld, cheapPasswords, loggedIn, type AuthWorld } from './support/auth-world.ts';

describe('signing keys', () => {
  let database: TestDatabase;
  const secret = randomBytes(32);
  beforeEach(async () => {
    database = await testDatabase(migrations);
  });
  afterEach(async () => {
    await database.drop();
  });

  const replica = (itsSecret = secret) => createSigningKeys(createSealedKeys(database.db.pool), itsSecret);

  it('are made once, although many replicas first need one at the same time', async () => {
    const rows = createSealedKeys(database.db.pool);
    const count = 8;
    let looked = 0;
    const { promise: allLooked, resolve } = Promise.withResolvers<void>();
    // all have seen that there is none before one makes it
    const replicas = Array.from({ length: count }, () =>
      createSigningKeys(
        {
          ...rows,
          addFirst: async (key) => {
            if (++looked === count) resolve();
            await allLooked;
            await rows.addFirst(key);
          },
        },
        secret,
      ),
    );
    const kids = await Promise.all(replicas.map(async (keys) => (await keys.active()).kid));
    expect(new Set(kids).size).to.equal(1);
    const stored = await database.db.pool.query('SELECT FROM signing_keys');
    expect(stored.rowCount).to.equal(1);
  });

  it('show their public part only', async () => {
    const [key, ...others] = await replica().publicJwks();
    expect(others).to.deep.equal([]);
    expect(key).to.have.all.keys('kid', 'kty', 'crv', 'x', 'y', 'use', 'alg');
    expect(key).to.include({ kty: 'EC', crv: 'P-256', use: 'sig', alg: 'ES256' });
  });

  it('are stored so that the database alone cannot sign', async () => {
    const { privateKey } = await replica().active();
    const { rows } = await database.db.pool.query<{ private_key: Buffer }>('SELECT private_key FROM signing_keys');
    const stored = rows[0]?.private_key.toString('hex');
    expect(stored).not.to.contain(privateKey.export({ format: 'der', type: 'pkcs8' }).toString('hex'));
    const { d = '' } = privateKey.export({ format: 'jwk' });
    expect(stored).not.to.contain(Buffer.from(d, 'base64url').toString('hex'));
  });

  it('do not open with another secret, and say what is wrong', async () => {
    await replica().active();
    const error = await replica(randomBytes(32))
      .active()
      .catch((reason: unknown) => reason);
    expect(String(error)).to.contain('KEY_ENCRYPTION_SECRET');
  });

  it('outlive an outage of the database', async () => {
    let isDown = false;
    const rows = createSealedKeys(database.db.pool);
    const flaky = {
      ...rows,
      all: async () => {
        if (isDown) throw new Error('the database is down');
        return await rows.all();
      },
    };
    let now = 0;
    const keys = createSigningKeys(flaky, secret, () => now);
    const { kid } = await keys.active();
    isDown = true;
    now += 60_000;
    expect((await keys.active()).kid).to.equal(kid);
    expect((await keys.active()).kid).to.equal(kid);
    expect(await keys.keyFor(kid)).not.to.equal(undefined);
  });

  it('follow what another replica brings: old and new verify, the new one signs', async () => {
    let now = 0;
    const keys = createSigningKeys(createSealedKeys(database.db.pool), secret, () => now);
    const { kid: old } = await keys.active();
    await database.db.pool.query('UPDATE signing_keys SET retired_at = clock_timestamp()');
    const { kid: next } = await replica().active();
    expect(next).not.to.equal(old);
    now += 60_000;
    await waitFor(async () => (await keys.active()).kid === next);
    expect((await keys.publicJwks()).map(({ kid }) => kid)).to.deep.equal([old, next]);
    expect(await keys.keyFor(old)).not.to.equal(undefined);
    expect(await keys.keyFor('unknown')).to.equal(undefined);
  });

  describe('at the service', () => {
    let world: AuthWorld;
    before(async () => {
      world = await authWorld({}, { passwords: cheapPasswords() });
    });
    after(async () => {
      await world.stop();
    });

    it('are the same on all replicas, may be kept for a while, and check tokens of each other', async () => {
      const second = await world.replica();
      const [first, other] = [await world.api.call('jwks'), await second.api.call('jwks')];
      expect(first.body).to.deep.equal(other.body);
      expect(first.headers.get('cache-control')).to.equal('public, max-age=300');
      const user = await loggedIn(world, 'member');
      expect(decodeProtectedHeader(user.token).kid).to.equal((first.body as { keys: { kid: string }[] }).keys[0]?.kid);
      expect((await second.api.call('me', { token: user.token })).status).to.equal(200);
    });

    it('are one of the things that make it ready', async () => {
      const ready = async (url: string) => {
        const response = await fetch(`${url}/ready`);
        return {
          status: response.status,
          body: (await response.json()) as { checks: Record<string, { ok: boolean; detail?: string }> },
        };
      };
      const good = await waitFor(async () => {
        const answer = await ready(world.api.baseUrl);
        return answer.status === 200 && answer;
      });
      expect(Object.keys(good.body.checks)).to.have.members(['database', 'broker', 'migrations', 'signing_key']);
      const bad = await world.replica({ KEY_ENCRYPTION_SECRET: randomBytes(32).toString('base64') });
      const answer = await ready(bad.api.baseUrl);
      expect(answer.status).to.equal(503);
      expect(answer.body.checks['signing_key']?.detail).to.contain('KEY_ENCRYPTION_SECRET');
    });

    it('are not served by a process that only works, which has health and metrics all the same', async () => {
      const worker = await world.replica({ PROCESS_ROLE: 'worker' });
      expect((await worker.api.raw('/oidc/jwks')).status).to.equal(404);
      expect((await worker.api.raw('/health')).status).to.equal(200);
      expect((await worker.api.raw('/metrics')).text).to.contain('outbox');
    });
  });
});
