import { randomUUIDv7 } from 'node:crypto';
import { expect } from 'chai';
import type { Adapter } from 'oidc-provider';
import { createDatabase, type Database } from '@taskwire/postgres';
import { createTelemetry } from '@taskwire/telemetry';
import { silent, testDatabase, type TestDatabase } from '@taskwire/testing';
import { hashToken, refreshTokens } from '../src/app/refresh-tokens.ts';
import { migrations } from '../src/migrations.ts';
import { providerAdapter } from '../src/postgres/provider-adapter.ts';
import { authRetention } from '../src/postgres/retention.ts';
import { systemContext, noOrigin } from '../src/domain/audit-context.ts';
import { createUsers } from '../src/postgres/users.ts';
import { linkLifetimes } from './support/auth-harness.ts';

const tokens = refreshTokens(Buffer.alloc(32, 1));

describe("the provider's storage", () => {
  let database: TestDatabase;
  let connections: Database[];
  /** Adapters of two instances, each with its own connections. */
  let instances: ((kind: string) => Adapter)[];
  let userId: string;
  const reused: string[] = [];

  before(async () => {
    database = await testDatabase(migrations);
    const open = async () =>
      await createDatabase({
        url: database.url,
        poolSize: 10,
        applicationName: 'instance',
        telemetry: createTelemetry({ service: 'auth', stream: silent() }),
      });
    connections = [await open(), await open()];
    instances = connections.map((db) =>
      providerAdapter({
        db,
        refreshTokens: tokens,
        graceSeconds: 0,
        clients: { find: async () => undefined },
        onReuse: (kind) => reused.push(kind),
        request: { origin: () => noOrigin, ending: () => 'other' },
      }),
    );
  });
  after(async () => {
    for (const db of connections) await db.close();
    await database.drop();
  });
  beforeEach(async () => {
    const email = `${randomUUIDv7()}@example.org`;
    const account = { email, name: 'Ann', role: 'member', emailVerified: true, passwordHash: 'x' } as const;
    const settings = { lifetimes: linkLifetimes, restoreDays: 7 };
    const user = await createUsers(database.db, settings).create(account, {
      ...systemContext,
      action: 'user.create',
    });
    if (typeof user === 'string') throw new Error(`the user was not created: ${user}`);
    userId = user.id;
    reused.length = 0;
  });

  const of = (kind: string, instance = 0) => {
    const adapter = instances[instance];
    if (adapter === undefined) throw new Error('there are two instances');
    return adapter(kind);
  };
  const hundredTimes = async (work: (instance: number) => Promise<unknown>) =>
    await Promise.allSettled(Array.from({ length: 100 }, async (_, index) => await work(index % 2)));
  const succeeded = (results: PromiseSettledResult<unknown>[]) =>
    results.filter(({ status }) => status === 'fulfilled').length;

  async function grant(): Promise<string> {
    const id = randomUUIDv7();
    await of('Grant').upsert(id, { accountId: userId, clientId: 'portal' }, 3_600);
    return id;
  }

  async function expiryOf(id: string): Promise<unknown> {
    const { rows } = await database.db.pool.query(
      `SELECT expires_at::text FROM oidc_artifacts WHERE hash = $1 UNION ALL SELECT expires_at::text FROM refresh_tokens WHERE hash = $1`,
      [hashToken(id)],
    );
    return rows[0];
  }

  for (const kind of [
    'AuthorizationCode',
    'DeviceCode',
    'PreAuthorizedCode',
    'BackchannelAuthenticationRequest',
    'RefreshToken',
  ]) {
    it(`${kind}: of a hundred concurrent uses on two instances one wins, the grant ends, and the expiry stays`, async () => {
      const [id, grantId] = [tokens.create(), await grant()];
      await of(kind).upsert(id, { grantId, accountId: userId, clientId: 'portal' }, 60);
      expect((await of(kind, 1).find(id)) ?? {})
        .to.include({ grantId, jti: id })
        .and.not.have.property('consumed');
      const expiry = await expiryOf(id);
      const results = await hundredTimes(async (instance) => await of(kind, instance).consume(id));
      expect(succeeded(results)).to.equal(1);
      expect(await expiryOf(id)).to.deep.equal(expiry);
      expect(reused).to.have.length(99).and.to.include(kind);
      expect(await of('Grant', 1).find(grantId)).to.equal(undefined);
      expect(await of(kind).find(id)).to.equal(undefined);
    });

    it(`${kind}: stays consumed, and is never revived by another save`, async () => {
      const [id, grantId] = [tokens.create(), await grant()];
      const payload = { grantId, accountId: userId, clientId: 'portal' };
      await of(kind).upsert(id, payload, 60);
      await of(kind).consume(id);
      expect((await of(kind, 1).find(id)) ?? {})
        .to.have.property('consumed')
        .that.is.a('number');
      const [again] = await Promise.allSettled([of(kind, 1).upsert(id, payload, 60)]);
      expect(again).to.include({ status: 'rejected' });
      expect((await of(kind, 1).find(id)) ?? {}).to.have.property('consumed');
    });
  }

  it('lets one of a hundred concurrent uses of a jti win, by the failing INSERT', async () => {
    const results = await hundredTimes(
      async (instance) => await of('ReplayDetection', instance).upsert('a jti', {}, 60),
    );
    expect(succeeded(results)).to.equal(1);
    const [later] = await Promise.allSettled([of('ReplayDetection').upsert('a jti', {}, 60)]);
    expect(later).to.include({ status: 'rejected' });
  });

  it('revokes everything that came from a grant, including what a running request saves afterwards', async () => {
    const grantId = await grant();
    const payload = { grantId, accountId: userId, clientId: 'portal' };
    const ids = new Map(['AuthorizationCode', 'AccessToken', 'RefreshToken'].map((kind) => [kind, tokens.create()]));
    for (const [kind, id] of ids) await of(kind).upsert(id, payload, 60);
    await of('RefreshToken', 1).revokeByGrantId(grantId);
    const late = tokens.create();
    await of('RefreshToken').upsert(late, payload, 60);
    for (const [kind, id] of [...ids, ['RefreshToken', late] as const, ['Grant', grantId] as const]) {
      expect(await of(kind).find(id), kind).to.equal(undefined);
    }
    const [revived] = await Promise.allSettled([of('Grant').upsert(grantId, payload, 60)]);
    expect(revived).to.include({ status: 'rejected' });
  });

  it('gives a deleted user no grant', async () => {
    await database.db.pool.query(
      'UPDATE users SET deleted_at = clock_timestamp(), password_hash = NULL WHERE id = $1',
      [userId],
    );
    const [result] = await Promise.allSettled([grant()]);
    expect(result).to.include({ status: 'rejected' });
  });

  it("finds a browser log-in by both of its ids until the user's access ends", async () => {
    const now = Math.floor(Date.now() / 1000);
    const session = { accountId: userId, uid: 'another name', loginTs: now };
    await of('Session').upsert('the cookie', session, 60);
    expect((await of('Session', 1).find('the cookie')) ?? {}).to.include({ ...session, jti: 'the cookie' });
    expect((await of('Session', 1).findByUid('another name')) ?? {})
      .to.include(session)
      .and.not.have.property('jti');
    await database.db.pool.query(`UPDATE users SET tokens_valid_after = to_timestamp($2) WHERE id = $1`, [
      userId,
      now + 1,
    ]);
    expect(await of('Session').find('the cookie')).to.equal(undefined);
    expect(await of('Session').findByUid('another name')).to.equal(undefined);
  });

  it("stores a client's input unchanged, including text that PostgreSQL rejects", async () => {
    const params = { state: 'a\u0000b \ud800 ä', nonce: '{{id}}' };
    await of('Interaction').upsert('an id', { params, returnTo: 'http://localhost/oidc/authorize/an id' }, 60);
    expect((await of('Interaction').find('an id')) ?? {}).to.deep.include({
      params,
      returnTo: 'http://localhost/oidc/authorize/an id',
    });
  });

  it('purges expired rows in batches, consumed or not, and no others', async () => {
    await database.db.pool.query('DELETE FROM oidc_artifacts');
    await database.db.pool.query(
      `INSERT INTO oidc_artifacts (kind, hash, payload, expires_at, consumed_at)
       SELECT 'AuthorizationCode', sha256(n::text::bytea), '{}', clock_timestamp() + CASE WHEN n <= 2500 THEN -1 ELSE 60 END * interval '1 second',
         CASE WHEN n % 2 = 0 THEN clock_timestamp() END
       FROM generate_series(1, 2600) n`,
    );
    const days = { usersAfterDays: 30, auditOriginDays: 90, auditEntryDays: 400 };
    const retention = authRetention(database.db, days, createTelemetry({ service: 'auth', stream: silent() }));
    const rounds = [];
    do rounds.push(await retention.tick());
    while (rounds.at(-1) === 'more');
    expect(rounds).to.deep.equal(['more', 'more', 'idle']);
    const { rows } = await database.db.pool.query('SELECT count(*)::int AS left FROM oidc_artifacts');
    expect(rows).to.deep.equal([{ left: 100 }]);
  });
});
