import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { decodeProtectedHeader } from 'jose';
import { testDatabase, waitFor, type TestDatabase } from '@taskwire/testing';
import { migrations } from '../src/migrations.ts';
import { systemContext } from '../src/domain/audit-context.ts';
import { createSealedKeys } from '../src/postgres/signing-key-rows.ts';
import { createSigningKeys, rotateKeys } from '../src/tokens/signing-keys.ts';
import { authHarness, cheapPasswords, loggedIn, type AuthHarness } from './support/auth-harness.ts';

describe('signing keys', () => {
  let database: TestDatabase;
  const secret = randomBytes(32);
  beforeEach(async () => {
    database = await testDatabase(migrations);
  });
  afterEach(async () => {
    await database.drop();
  });

  const publicJwks = async (keys: ReturnType<typeof replica>) =>
    (await keys.ring()).keys.map(({ publicJwk }) => publicJwk);
  const replica = (itsSecret = secret) => createSigningKeys(createSealedKeys(database.db), itsSecret);

  it('are created once, although many replicas need the first one at the same time', async () => {
    const rows = createSealedKeys(database.db);
    const count = 8;
    let looked = 0;
    const { promise: allLooked, resolve } = Promise.withResolvers<void>();
    // all replicas find no key before one of them creates it
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
    const kids = await Promise.all(replicas.map(async (keys) => (await keys.ring()).active.kid));
    expect(new Set(kids).size).to.equal(1);
    const stored = await database.db.pool.query('SELECT FROM signing_keys');
    expect(stored.rowCount).to.equal(1);
  });

  it('show only their public part', async () => {
    const [key, ...others] = await publicJwks(replica());
    expect(others).to.deep.equal([]);
    expect(key).to.have.all.keys('kid', 'kty', 'crv', 'x', 'y', 'use', 'alg');
    expect(key).to.include({ kty: 'EC', crv: 'P-256', use: 'sig', alg: 'ES256' });
  });

  it("are stored so that the database alone can't sign", async () => {
    const { privateKey } = (await replica().ring()).active;
    const { rows } = await database.db.pool.query<{ private_key: Buffer }>('SELECT private_key FROM signing_keys');
    const stored = rows[0]?.private_key.toString('hex');
    expect(stored).not.to.contain(privateKey.export({ format: 'der', type: 'pkcs8' }).toString('hex'));
    const { d = '' } = privateKey.export({ format: 'jwk' });
    expect(stored).not.to.contain(Buffer.from(d, 'base64url').toString('hex'));
  });

  it("can't be opened with another secret, and the error names the cause", async () => {
    await replica().ring();
    const error = await replica(randomBytes(32))
      .ring()
      .catch((reason: unknown) => reason);
    expect(String(error)).to.contain('KEY_ENCRYPTION_SECRET');
  });

  it('survive an outage of the database', async () => {
    let isDown = false;
    const rows = createSealedKeys(database.db);
    const flaky = {
      ...rows,
      all: async () => {
        if (isDown) throw new Error('the database is down');
        return await rows.all();
      },
    };
    let now = 0;
    const keys = createSigningKeys(flaky, secret, () => now);
    const { kid } = (await keys.ring()).active;
    isDown = true;
    now += 60_000;
    expect((await keys.ring()).active.kid).to.equal(kid);
    expect((await keys.ring()).active.kid).to.equal(kid);
    expect(await keys.keyFor(kid)).not.to.equal(undefined);
  });

  describe('the rotation', () => {
    const minute = 60_000;
    const schedule = { rotationSeconds: 3_600, overlapSeconds: 900, retiredSeconds: 7_200 };
    const later = async (interval: string) =>
      await database.db.pool.query('UPDATE signing_keys SET signs_from = signs_from - $1::interval', [interval]);

    it('publishes the next key first, signs with it when its time has come, and verifies with both, database or not', async () => {
      let now = 0;
      let isDown = false;
      const rows = createSealedKeys(database.db);
      const all = async () => (isDown ? await Promise.reject(new Error('the database is down')) : await rows.all());
      const keys = createSigningKeys({ ...rows, all }, secret, () => now);
      const { kid: old } = (await keys.ring()).active;
      expect(await rotateKeys(rows, secret, schedule).addNext(systemContext)).to.equal(true);
      now += minute;
      const next = await waitFor(async () => (await publicJwks(keys)).find(({ kid }) => kid !== old)?.kid);
      isDown = true;
      now += 14 * minute;
      expect((await keys.ring()).active.kid).to.equal(old);
      now += minute;
      expect((await keys.ring()).active.kid).to.equal(next);
      for (const kid of [old, next]) expect(await keys.keyFor(kid)).not.to.equal(undefined);
      expect(await keys.keyFor('unknown')).to.equal(undefined);
    });

    it('follows the schedule: nothing before it is due, one next key, retired keys removed once unneeded', async () => {
      const rows = createSealedKeys(database.db);
      const rotation = rotateKeys(rows, secret, schedule);
      const { kid: first } = (await replica().ring()).active;
      expect(await rotation.keepSchedule()).to.deep.equal({ added: false, removed: [] });
      await later('61 minutes');
      const at = await Promise.all(Array.from({ length: 8 }, async () => await rotation.keepSchedule()));
      expect(at.filter(({ added }) => added)).to.have.length(1);
      expect(await rotation.addNext(systemContext)).to.equal(false);
      await later('16 minutes');
      const { kid: second } = (await replica().ring()).active;
      expect(second).not.to.equal(first);
      expect((await rotation.keepSchedule()).removed).to.deep.equal([]);
      await later('121 minutes');
      expect((await rotation.keepSchedule()).removed).to.deep.equal([first]);
      expect((await rows.all()).map(({ kid }) => kid))
        .to.include(second)
        .and.not.include(first);
    });
  });

  describe('the keys at the service', () => {
    let harness: AuthHarness;
    before(async () => {
      harness = await authHarness({}, { passwords: cheapPasswords() });
    });
    after(async () => {
      await harness.stop();
    });

    it('are identical on all replicas, may be cached for a while, and verify tokens of each other', async () => {
      const second = await harness.replica();
      const [first, other] = [await harness.api.call('jwks'), await second.api.call('jwks')];
      expect(first.body).to.deep.equal(other.body);
      expect(first.headers.get('cache-control')).to.equal('public, max-age=300');
      const user = await loggedIn(harness, 'member');
      expect(decodeProtectedHeader(user.token).kid).to.equal((first.body as { keys: { kid: string }[] }).keys[0]?.kid);
      expect((await second.api.call('me', { token: user.token })).status).to.equal(200);
    });

    it('are a condition of readiness', async () => {
      const ready = async (url: string) => {
        const response = await fetch(`${url}/ready`);
        return {
          status: response.status,
          body: (await response.json()) as { checks: Record<string, { ok: boolean; detail?: string }> },
        };
      };
      const good = await waitFor(async () => {
        const answer = await ready(harness.api.baseUrl);
        return answer.status === 200 && answer;
      });
      expect(Object.keys(good.body.checks)).to.have.members([
        'database',
        'broker',
        'migrations',
        'partitions',
        'signing_key',
      ]);
      const bad = await harness.replica({ KEY_ENCRYPTION_SECRET: randomBytes(32).toString('base64') });
      const answer = await ready(bad.api.baseUrl);
      expect(answer.status).to.equal(503);
      expect(answer.body.checks['signing_key']?.detail).to.contain('KEY_ENCRYPTION_SECRET');
    });

    it('are not served by a worker, which has health and metrics all the same', async () => {
      const worker = await harness.replica({ PROCESS_ROLE: 'worker' });
      expect((await worker.api.raw('/oidc/jwks')).status).to.equal(404);
      expect((await worker.api.raw('/health')).status).to.equal(200);
      expect((await worker.api.raw('/metrics')).text).to.contain('outbox');
    });
  });
});
