import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { listChangedUsers } from '../src/postgres/user-lists.ts';
import { expectProblem } from './support/api.ts';
import {
  addUser,
  authHarness,
  cheapPasswords,
  loggedIn,
  serviceToken,
  type AuthHarness,
} from './support/auth-harness.ts';

type InternalUser = { id: string; updated_at: string; is_deleted: boolean; tokens_valid_after: string | null };
type Page = { data: InternalUser[]; next_cursor: string | null };

describe('users as services see them', () => {
  let harness: AuthHarness;
  let token: string;
  before(async () => {
    harness = await authHarness({}, { passwords: cheapPasswords() });
    token = await serviceToken(harness);
  });
  after(async () => {
    await harness.stop();
  });

  const get = async (id: string) => await harness.api.call('getInternalUser', { token, params: { id } });

  async function list(given: Record<string, string> = {}): Promise<Page> {
    const answer = await harness.api.call('listInternalUsers', { token, query: given });
    expect(answer.status).to.equal(200, answer.text);
    return answer.body as Page;
  }

  async function all(given: Record<string, string> = {}): Promise<InternalUser[]> {
    const page = await list({ limit: '3', ...given });
    if (page.next_cursor === null) return page.data;
    return [...page.data, ...(await all({ ...given, cursor: page.next_cursor }))];
  }

  it('are existing (200, with ETag), deleted (410) or unknown (404)', async () => {
    const user = await loggedIn(harness, 'member');
    const found = await get(user.id);
    expect(found.status).to.equal(200);
    expect(found.headers.get('etag')).to.match(/^"1-/);
    expect(found.body).to.include({ id: user.id, role: 'member', is_deleted: false, tokens_valid_after: null });
    await harness.api.call('deleteUser', { token: user.token, params: { id: user.id } });
    expectProblem(await get(user.id), 'gone');
    expectProblem(await get('01999999-0000-7000-8000-000000000000'), 'not_found');
  });

  it('have the epoch of the database once an operator has made the suite consistent', async () => {
    const user = await addUser(harness, 'member');
    expect((await get(user.id)).body).not.to.have.property('source_epoch');
    const epoch = async (epochs: string) =>
      await query(harness.database.db.pool, `UPDATE source_epoch SET (epoch, consistent_epoch) = ${epochs}`);
    await epoch('(3, 2)');
    const restarted = await harness.replica();
    try {
      const { body, headers } = await restarted.api.call('getInternalUser', { token, params: { id: user.id } });
      expect(body).to.include({ source_epoch: 2 });
      expect(headers.get('etag')).to.match(/^"e3-1-/);
      const page = (await restarted.api.call('listInternalUsers', { token, query: {} })).body as Page;
      expect(page.data.map((one) => one)).to.satisfy((all: object[]) =>
        all.every((one) => Reflect.get(one, 'source_epoch') === 2),
      );
    } finally {
      await epoch('(1, 1)');
    }
  });

  it('show since when tokens are valid after a demotion', async () => {
    const admin = await loggedIn(harness, 'admin');
    const user = await addUser(harness, 'manager');
    const params = { id: user.id };
    const changed = await harness.api.call('changeUser', { token: admin.token, params, body: { role: 'member' } });
    const { updated_at: demotedAt } = changed.body as InternalUser;
    expect((await get(user.id)).body).to.include({ tokens_valid_after: demotedAt, role: 'member' });
  });

  it('are listed by time of change, each once, including deleted ones', async () => {
    const admin = await loggedIn(harness, 'admin');
    const users = await Promise.all(Array.from({ length: 7 }, async () => await addUser(harness, 'member')));
    const [first, second] = users;
    await harness.api.call('changeUser', {
      token: admin.token,
      params: { id: first?.id ?? '' },
      body: { name: 'Changed' },
    });
    await harness.api.call('deleteUser', { token: admin.token, params: { id: second?.id ?? '' } });
    const found = await all();
    const ids = found.map(({ id }) => id);
    expect(ids).to.include.members(users.map(({ id }) => id));
    expect(new Set(ids).size).to.equal(ids.length);
    expect(found.map(({ updated_at }) => updated_at)).to.deep.equal(found.map((user) => user.updated_at).toSorted());
    expect(found.slice(-2).map(({ id }) => id)).to.deep.equal([first?.id, second?.id]);
    expect(found.at(-1)).to.include({ is_deleted: true });
  });

  it('are listed from a given time on, inclusive, to the microsecond', async () => {
    const user = await addUser(harness, 'member');
    const next = await addUser(harness, 'member');
    expect((await all({ updated_since: user.updated_at })).map(({ id }) => id)).to.deep.equal([user.id, next.id]);
    const sooner = user.updated_at.replace(/.Z$/, '0Z');
    expect((await all({ updated_since: sooner })).map(({ id }) => id)).to.include(user.id);
  });

  it('are listed for any time that the contract allows', async () => {
    const total = (await all()).length;
    for (const updated_since of [
      '0000-01-01T00:00:00Z',
      '0001-01-01T00:00:00Z',
      `2020-01-01T00:00:00.${'9'.repeat(300)}Z`,
    ]) {
      expect((await all({ updated_since })).length).to.equal(total, updated_since);
    }
    expect(await all({ updated_since: '9999-12-31T23:59:59.999999Z' })).to.deep.equal([]);
  });

  it('are never skipped: a change stamped early and committed late holds back later ones', async () => {
    const [late, after] = [await addUser(harness, 'member'), await addUser(harness, 'member')];
    const { updated_at: seenUntil } = after;
    const admin = await loggedIn(harness, 'admin');
    const rename = async (id: string) =>
      await harness.api.call('changeUser', { token: admin.token, params: { id }, body: { name: 'Renamed' } });

    let inBetween: string[] = [];
    await harness.database.db.transaction(async (tx) => {
      await query(tx, 'UPDATE users SET name = $2, updated_at = clock_timestamp() WHERE id = $1', [late.id, 'Late']);
      await rename(after.id);
      const page = await list({ updated_since: seenUntil, limit: '100' });
      inBetween = page.data.map(({ id }) => id);
    });
    // if the list had included `after`, the reader would continue from there and miss `late`, whose time is earlier
    expect(inBetween).not.to.include(after.id);
    const found = (await all({ updated_since: seenUntil })).map(({ id }) => id);
    expect(found.indexOf(late.id)).to.be.within(0, found.indexOf(after.id) - 1);
  });

  it('all reach a paging reader eventually, while many clients write', async () => {
    const admin = await loggedIn(harness, 'admin');
    const users = await Promise.all(Array.from({ length: 5 }, async () => await addUser(harness, 'member')));
    const since = users.map(({ updated_at }) => updated_at).toSorted()[0] ?? '';
    const held = new Map<string, string>();
    let position = since;
    async function read(): Promise<void> {
      for (const { id, updated_at } of await all({ updated_since: position })) {
        held.set(id, updated_at);
        position = updated_at;
      }
    }
    await Promise.all(
      Array.from({ length: 40 }, async (_, index) => {
        const id = users[index % users.length]?.id ?? '';
        await harness.api.call('changeUser', { token: admin.token, params: { id }, body: { name: `Name ${index}` } });
        await read();
      }),
    );
    await read();
    for (const { id } of users) expect(held.get(id)).to.equal(((await get(id)).body as InternalUser).updated_at);
  });

  it('are read along an index: the cost of a page is independent of the number of later users', async () => {
    const rolledBack = new Error('rolled back');
    const reading = harness.database.db.transaction(async (tx) => {
      await tx.query(
        `INSERT INTO users (id, email, name, role, email_verified, password_hash, created_at, updated_at)
         SELECT uuidv7(), 'many' || n || '@example.org', 'Many', 'member', true, 'none', at, at
         FROM generate_series(1, 2000) n, LATERAL (SELECT now() - interval '1 day' + n * interval '1 second') past (at)`,
      );
      await tx.query('ANALYZE users');
      const readSoFar = async (): Promise<number> => {
        const sql = `SELECT seq_tup_read + idx_tup_fetch AS n FROM pg_stat_xact_user_tables WHERE relname = 'users'`;
        return Number((await tx.query<{ n: string }>(sql))[0]?.n);
      };
      const before = await readSoFar();
      const after = [new Date(Date.now() - 86_000_000).toISOString(), crypto.randomUUID()];
      const { items } = await listChangedUsers(tx, { since: undefined }, { after, limit: 10 });
      expect(items).to.have.length(10);
      expect((await readSoFar()) - before).to.be.below(50);
      throw rolledBack;
    });
    expect(await reading.catch((error: unknown) => error)).to.equal(rolledBack);
  });
});
