import { randomUUIDv7 } from 'node:crypto';
import { query } from '@taskwire/postgres';
import { testDatabase, type TestDatabase } from '@taskwire/testing';
import { expect } from 'chai';
import { findTask, findTaskNow, type FetchTask, type FetchedTask } from '../src/app/find-task.ts';
import type { FindTask, FindTaskNow } from '../src/app/ports.ts';
import { migrations } from '../src/migrations.ts';
import { taskCache } from '../src/postgres/task-cache.ts';
import { retentionOf } from './support/retention.ts';

const at = (second: number, micros = 0) =>
  `2026-11-20T10:00:${String(second).padStart(2, '0')}.${String(micros).padStart(6, '0')}Z`;
const never = new AbortController().signal;
/** Milliseconds are coarser than the database's clock. */
const aMomentLater = () => new Date(Date.now() + 5).toISOString();

describe('The task cache', () => {
  let database: TestDatabase;
  let id: string;
  const [creatorId, assigneeId] = [randomUUIDv7(), randomUUIDv7()];
  const dueAt = '2026-11-30T17:00:00.123456Z';
  let answer: Awaited<ReturnType<FetchTask>>;
  let fetches: number;
  let find: FindTask;

  before(async () => {
    database = await testDatabase(migrations);
  });
  after(async () => {
    await database.drop();
  });
  beforeEach(() => {
    id = randomUUIDv7();
    fetches = 0;
    const fetchTask: FetchTask = async () => {
      fetches += 1;
      return answer;
    };
    find = findTask({ cache: taskCache(database.db.pool), fetchTask });
  });

  const state = (version: number, title: string, updatedAt: string): FetchedTask => ({
    id,
    title,
    state: 'assigned',
    creatorId,
    assigneeId,
    dueAt,
    version,
    updatedAt,
    sourceEpoch: 1,
    readers: null,
  });
  const known = (title: string) => ({ kind: 'task', id, title, creatorId, assigneeId, readers: null });

  it('queries Tasks once for all events committed before the response', async () => {
    answer = { kind: 'ok', value: state(3, 'Paint', at(9)) };
    for (const second of [1, 2, 5, 9]) expect(await find(id, at(second), never)).to.deep.equal(known('Paint'));
    expect(fetches).to.equal(1);
  });

  it('queries Tasks again for an event that is newer than the cached state by a microsecond', async () => {
    answer = { kind: 'ok', value: state(3, 'Paint', at(9, 1)) };
    await find(id, at(9, 1), never);
    answer = { kind: 'ok', value: state(4, 'Paint it black', at(9, 2)) };
    expect(await find(id, at(9, 2), never)).to.deep.equal(known('Paint it black'));
    expect(fetches).to.equal(2);
  });

  it('has the readers of the latest response, also of the same version, because membership has no version', async () => {
    const cache = taskCache(database.db.pool);
    await cache.store({ ...state(1, 'Paint', at(1)), readers: [creatorId, assigneeId] }, at(1));
    expect(await cache.read(id, at(1))).to.deep.include({ readers: [creatorId, assigneeId] });
    await cache.store({ ...state(1, 'Paint', at(1)), readers: [creatorId] }, at(2));
    expect((await cache.readLast(id))?.now).to.deep.include({ readers: [creatorId] });
    await cache.storeDeleted(id, at(3));
    expect(await cache.read(id, at(3))).to.deep.include({ kind: 'deleted', readers: [creatorId] });
  });

  it('does not know the readers of a version that the previous release has stored', async () => {
    const cache = taskCache(database.db.pool);
    await cache.store({ ...state(1, 'Paint', at(1)), readers: [creatorId] }, at(1));
    await query(database.db.pool, 'UPDATE task_cache SET version = 2, progress_version = 2 WHERE id = $1', [id]);
    expect([await cache.read(id, at(1)), await cache.readLast(id)]).to.deep.equal([undefined, undefined]);
  });

  it('does not query twice for one event that is later than the state', async () => {
    answer = { kind: 'ok', value: state(1, 'Paint', at(1)) };
    await find(id, at(1, 2), never);
    await find(id, at(1, 2), never);
    expect(fetches).to.equal(1);
  });

  it('follows a restored Tasks to a lower version, and brings a deleted task back', async () => {
    const cache = taskCache(database.db.pool);
    await cache.store(state(5, 'Lost', at(5)), at(5));
    await cache.store({ ...state(3, 'Restored', at(3)), sourceEpoch: 2 }, at(6));
    expect((await cache.readLast(id))?.now).to.include({ title: 'Restored' });
    await cache.store(state(6, 'Late', at(6)), at(6));
    expect((await cache.readLast(id))?.now, 'a late response of the former epoch').to.include({ title: 'Restored' });
    await cache.storeDeleted(id, at(9));
    await cache.store({ ...state(2, 'Restored again', at(2)), sourceEpoch: 3 }, at(9));
    expect((await cache.readLast(id))?.now).to.include({ kind: 'task', title: 'Restored again' });
  });

  it('never returns to an older version, whichever response arrives last', async () => {
    const cache = taskCache(database.db.pool);
    await cache.store(state(5, 'New', at(5)), at(5));
    await cache.store(state(4, 'Old', at(4)), at(6));
    expect(await cache.read(id, at(5))).to.deep.equal(known('New'));
    expect(await cache.read(id, at(6))).to.equal(undefined);
  });

  it('keeps the title of a deleted task', async () => {
    answer = { kind: 'ok', value: state(1, 'Paint', at(1)) };
    await find(id, at(1), never);
    answer = { kind: 'gone' };
    const deleted = { kind: 'deleted', id, title: 'Paint', creatorId, readers: null };
    expect(await find(id, at(2), never)).to.deep.equal(deleted);
    expect(await find(id, at(2), never)).to.deep.equal(deleted);
    expect(fetches).to.equal(2);
  });

  it('records the deletion of a task that it never saw', async () => {
    answer = { kind: 'gone' };
    const deleted = { kind: 'deleted', id, title: null, creatorId: null, readers: null };
    expect(await find(id, at(2), never)).to.deep.equal(deleted);
    expect(await find(id, at(1), never)).to.deep.equal(deleted);
    expect(fetches).to.equal(1);
  });

  it('does not revive a task with a state from before its deletion, but with one from after it', async () => {
    const cache = taskCache(database.db.pool);
    await cache.store(state(1, 'Paint', at(1)), at(1));
    await cache.storeDeleted(id, at(5));
    await cache.store(state(2, 'Late', at(2)), at(2));
    expect(await cache.read(id, at(5))).to.include({ kind: 'deleted', title: 'Paint' });
    await cache.store(state(4, 'Restored', at(7)), at(7));
    expect(await cache.read(id, at(7))).to.deep.equal(known('Restored'));
  });

  it('stays current after an event dated in the future', async () => {
    answer = { kind: 'ok', value: state(1, 'Paint', at(1)) };
    await find(id, '2098-01-01T00:00:00.000000Z', never);
    answer = { kind: 'ok', value: state(2, 'Paint it black', aMomentLater()) };
    expect(await find(id, aMomentLater(), never)).to.deep.equal(known('Paint it black'));
  });

  it('can restore a task after a deletion dated in the future', async () => {
    answer = { kind: 'gone' };
    await find(id, '2098-01-01T00:00:00.000000Z', never);
    const restoredAt = aMomentLater();
    answer = { kind: 'ok', value: state(2, 'Restored', restoredAt) };
    expect(await find(id, restoredAt, never)).to.deep.equal(known('Restored'));
  });

  it('stores nothing while Tasks is unavailable', async () => {
    answer = { kind: 'unavailable', reason: 'network', detail: 'tasks is down', retryAfterMs: 500 };
    expect(await find(id, at(1), never)).to.deep.equal(answer);
    answer = { kind: 'not_found' };
    expect(await find(id, at(1), never)).to.deep.equal({ kind: 'not_found' });
    answer = { kind: 'ok', value: state(1, 'Paint', at(1)) };
    expect(await find(id, at(1), never)).to.deep.equal(known('Paint'));
  });

  describe('for the current state of a task', () => {
    let now: FindTaskNow;
    const asking = { recentMs: 0, signal: never };
    const open = (title: string) => ({ kind: 'task', title, state: 'assigned', assigneeId, dueAt, readers: null });

    beforeEach(() => {
      const fetchTask: FetchTask = async () => {
        fetches += 1;
        return answer;
      };
      now = findTaskNow({ cache: taskCache(database.db.pool), fetchTask });
    });

    it('queries Tasks unless it has a recent response', async () => {
      answer = { kind: 'ok', value: state(1, 'Paint', at(1)) };
      await find(id, at(1), never);
      answer = { kind: 'ok', value: state(2, 'Paint it black', at(2)) };
      expect(await now(id, { ...asking, recentMs: 60_000 })).to.deep.equal({ now: open('Paint'), uncertainty: null });
      expect(await now(id, asking)).to.deep.equal({ now: open('Paint it black'), uncertainty: null });
      expect(fetches).to.equal(2);
    });

    it('stores the response for an outage of Tasks', async () => {
      answer = { kind: 'ok', value: state(2, 'Paint it black', at(2)) };
      await now(id, asking);
      answer = { kind: 'unavailable', reason: 'network', detail: 'tasks is down' };
      expect(await now(id, asking)).to.deep.equal({ now: open('Paint it black'), uncertainty: 'tasks is down' });
      answer = { kind: 'not_found' };
      expect(await now(id, asking)).to.deep.equal({
        now: open('Paint it black'),
        uncertainty: 'Tasks does not know the task',
      });
    });

    it('returns nothing for an unknown task while Tasks is unavailable', async () => {
      answer = { kind: 'unavailable', reason: 'network', detail: 'tasks is down' };
      expect(await now(id, asking)).to.deep.equal({ now: undefined, uncertainty: 'tasks is down' });
    });

    it('reports a deletion without storing it, so that it does not hide a restored task', async () => {
      answer = { kind: 'ok', value: state(1, 'Paint', at(1)) };
      await find(id, at(1), never);
      answer = { kind: 'gone' };
      expect(await now(id, asking)).to.deep.equal({
        now: { kind: 'deleted', title: 'Paint', readers: null },
        uncertainty: null,
      });
      answer = { kind: 'ok', value: state(3, 'Paint', at(3)) };
      expect(await find(id, at(3), never)).to.deep.equal(known('Paint'));
    });

    it('has no due date for a version stored by a build without due dates', async () => {
      answer = { kind: 'ok', value: state(1, 'Paint', at(1)) };
      await find(id, at(1), never);
      const byThatBuild =
        'UPDATE task_cache SET version = 2, progress_version = 2, readers_version = NULL WHERE id = $1';
      await query(database.db.pool, byThatBuild, [id]);
      answer = { kind: 'unavailable', reason: 'network', detail: 'tasks is down' };
      expect((await now(id, asking)).now).to.deep.equal({ ...open('Paint'), dueAt: undefined });
    });

    it('does not rely on a state stored by a build without states', async () => {
      answer = { kind: 'ok', value: state(1, 'Paint', at(1)) };
      await find(id, at(1), never);
      await query(database.db.pool, 'UPDATE task_cache SET version = 2 WHERE id = $1', [id]);
      answer = { kind: 'unavailable', reason: 'network', detail: 'tasks is down' };
      expect(await now(id, { ...asking, recentMs: 60_000 })).to.deep.equal({
        now: undefined,
        uncertainty: 'tasks is down',
      });
    });
  });

  it('is kept as long as notifications, since it was last fetched', async () => {
    const [old, inUse, young] = ['400 days', '400 days', '300 days'];
    const insert = `
      INSERT INTO task_cache (id, title, creator_id, version, is_deleted, fresh_as_of, fetched_at)
      SELECT uuidv7(- $2::interval), $1, $3, 1, false, now(), now() - $4::interval`;
    await query(database.db.pool, 'TRUNCATE task_cache');
    await query(database.db.pool, insert, ['old', old, creatorId, old]);
    await query(database.db.pool, insert, ['in use', inUse, creatorId, '1 day']);
    await query(database.db.pool, insert, ['young', young, creatorId, young]);
    await retentionOf(database.db).tick();
    const left = await query(database.db.pool, 'SELECT title FROM task_cache ORDER BY id');
    expect(left).to.deep.equal([{ title: 'in use' }, { title: 'young' }]);
  });
});
