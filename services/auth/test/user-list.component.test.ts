import { createHash, randomUUIDv7 } from 'node:crypto';
import { query } from '@taskwire/postgres';
import { fillTables } from '@taskwire/testing';
import { expect } from 'chai';
import { expectProblem } from './support/api.ts';
import { authHarness, cheapPasswords, loggedIn, type AuthHarness } from './support/auth-harness.ts';

type User = { id: string; email: string; name: string; email_verified: boolean; role: string };
type Page = { data: User[]; next_cursor: string | null };

describe('a long list of users', () => {
  const many = 10_000;
  let harness: AuthHarness;
  let token: string;
  before(async () => {
    harness = await authHarness({}, { passwords: cheapPasswords() });
    ({ token } = await loggedIn(harness, 'manager'));
    // one per day from 1960 on: every tenth is a manager, every hundredth is unverified, every thousandth is deleted
    const people = `
      INSERT INTO users (id, email, name, role, email_verified, password_hash, created_at, updated_at, deleted_at)
      SELECT uuidv7(make_interval(days => number - $1 - 1)), 'person' || number || '@many.example.org', 'Person ' || number || ' ' || md5(number::text),
        CASE number % 10 WHEN 0 THEN 'manager' ELSE 'member' END, number % 100 <> 0,
        CASE WHEN number % 1000 <> 0 THEN 'x' END,
        stamp.at, stamp.at, CASE WHEN number % 1000 = 0 THEN stamp.at END
      FROM generate_series(1, $1::int) number,
        LATERAL (SELECT clock_timestamp() + make_interval(days => number - $1 - 1) AS at) stamp`;
    await fillTables(harness.database, [people], [many]);
  });
  after(async () => {
    await harness.stop();
  });

  async function ask(query: Record<string, string>): Promise<Page> {
    const answer = await harness.api.call('listUsers', { token, query });
    expect(answer.status, answer.text).to.equal(200);
    return answer.body as Page;
  }

  async function pages(query: Record<string, string>, between = async () => Promise.resolve()): Promise<User[]> {
    const found: User[] = [];
    let page = await ask(query);
    found.push(...page.data);
    while (page.next_cursor !== null) {
      await between();
      page = await ask({ ...query, cursor: page.next_cursor });
      found.push(...page.data);
    }
    return found;
  }

  const day = (number: number) => new Date(Date.now() + (number - many - 1) * 86_400_000 + 43_200_000).toISOString();
  const numbers = (users: User[]) => users.map(({ name }) => Number(name.split(' ')[1]));

  it('is narrowed by each filter, and by all of them', async () => {
    expect(numbers(await pages({ created_since: day(100), created_until: day(103) }))).to.deep.equal([101, 102, 103]);
    expect(numbers(await pages({ updated_since: day(100), updated_until: day(103) }))).to.deep.equal([101, 102, 103]);
    const unverified = await pages({ email_verified: 'false', created_until: day(1_000), limit: '100' });
    expect(numbers(unverified)).to.deep.equal([100, 200, 300, 400, 500, 600, 700, 800, 900]);
    const all = { role: 'manager', q: 'SON 19', email_verified: 'true', created_since: day(1_000) };
    const found = await pages({ ...all, created_until: day(1_950), limit: '2' });
    expect(numbers(found)).to.deep.equal([1910, 1920, 1930, 1940, 1950]);
    for (const query of [{ email_verified: 'yes' }, { created_since: 'now' }, { sort: 'email' }, { q: 'a\u0000b' }]) {
      expectProblem(await harness.api.call('listUsers', { token, query }), 'invalid_input');
    }
  });

  it('is sorted in both directions', async () => {
    const query = { q: 'person 77', created_until: day(8_000), limit: '3' };
    const oldest = await pages(query);
    expect(oldest).to.have.length(111);
    expect(await pages({ ...query, sort: '-created_at' })).to.deep.equal(oldest.toReversed());
  });

  it('returns each user once although users are added, removed and changed between pages', async () => {
    const query = { created_since: day(5_000), created_until: day(5_900), limit: '100' };
    const before = await pages(query);
    let round = 0;
    const writes = async () => {
      round += 1;
      const { pool } = harness.database.db;
      await pool.query(
        `UPDATE users SET name = 'Moved ' || name, email = 'a' || email, version = version + 1, updated_at = clock_timestamp()
         WHERE id = ANY ($1::uuid[])`,
        [before.filter((_, index) => index % 3 === 0).map(({ id }) => id)],
      );
      await pool.query(
        `UPDATE users SET deleted_at = clock_timestamp(), password_hash = NULL WHERE id = ANY ($1::uuid[])`,
        [before.slice(0, round * 100).map(({ id }) => id)],
      );
      await pool.query(
        `INSERT INTO users (id, email, name, role, email_verified, password_hash, created_at, updated_at)
         VALUES ($1::uuid, $1::text || '@new.example.org', 'New', 'member', true, 'x', clock_timestamp(), clock_timestamp())`,
        [randomUUIDv7()],
      );
    };
    for (const sort of ['created_at', '-created_at']) {
      const ids = (await pages({ ...query, sort }, writes)).map(({ id }) => id);
      expect(new Set(ids).size).to.equal(ids.length);
      // users who existed throughout are included
      const { rows } = await harness.database.db.pool.query<{ id: string }>(
        'SELECT id FROM users WHERE id = ANY ($1::uuid[]) AND deleted_at IS NULL',
        [before.map(({ id }) => id)],
      );
      expect(ids).to.include.members(rows.map(({ id }) => id));
    }
  });

  it('finds a part of a name or an address by an index', async () => {
    const odd = createHash('md5').update('4321').digest('hex').slice(0, 12);
    expect(numbers(await pages({ q: odd.toUpperCase() }))).to.deep.equal([4_321]);
    const statements: [string, RegExp][] = [
      [`name ILIKE '%${odd}%' OR email ILIKE '%${odd}%'`, /users_search/],
      [`created_at >= '1980-01-01' AND created_at < '1980-02-01'`, /users_created_at/],
      ['NOT email_verified', /users_unverified/],
      [`updated_at >= '1980-01-01' AND updated_at < '1980-02-01'`, /users_updated_at/],
    ];
    await harness.database.db.transaction(async (tx) => {
      // a sequential scan is a good choice for ten thousand rows, but too slow for millions
      await query(tx, 'SET LOCAL enable_seqscan = off');
      for (const [condition, index] of statements) {
        const rows = await query<{ 'QUERY PLAN': string }>(
          tx,
          `EXPLAIN SELECT * FROM users WHERE deleted_at IS NULL AND (${condition}) ORDER BY id LIMIT 51`,
        );
        const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
        expect(index.test(plan), plan).to.equal(true);
      }
    });
  });
});
