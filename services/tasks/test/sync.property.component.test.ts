import { isoMicros, query, type Database } from '@taskwire/postgres';
import { propertyRuns, propertyTimeoutMs, testDatabase, type TestDatabase } from '@taskwire/testing';
import { expect } from 'chai';
import fc from 'fast-check';
import type { PoolClient } from 'pg';
import { createWaiters } from '../src/app/jobs/waiters.ts';
import { followChanges } from '../src/app/sync/follow-changes.ts';
import type { Feed, Position } from '../src/app/sync/ports.ts';
import { migrations } from '../src/migrations.ts';
import { takingTurns } from '../src/postgres/lists/bounded-reads.ts';
import { createFeeds } from '../src/postgres/sync/feeds.ts';

/** A step of one of several open transactions. `row` is an index among the existing tasks. */
type Step = { writer: number } & (
  { kind: 'create' | 'commit' | 'roll back' | 'pause' } | { kind: 'rename' | 'delete' | 'remove for good'; row: number }
);

const writers = 4;
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      writer: fc.nat(writers - 1),
      kind: fc.constantFrom(
        'create' as const,
        'commit' as const,
        'commit' as const,
        'roll back' as const,
        'pause' as const,
      ),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      writer: fc.nat(writers - 1),
      kind: fc.constantFrom('rename' as const, 'rename' as const, 'delete' as const, 'remove for good' as const),
      row: fc.nat(11),
    }),
  },
);

const insertTask = `
  INSERT INTO tasks (id, title, description, state, priority, labels, creator_id, created_at, updated_at)
  VALUES (coalesce($1, uuidv7()), 'v1', '', 'draft', 'normal', '{}', uuidv7(), clock_timestamp(), clock_timestamp()) RETURNING id`;
const renameTask = `UPDATE tasks SET version = version + 1, title = 'v' || version + 1 WHERE id = $1 RETURNING title`;
const deleteTask = 'UPDATE tasks SET deleted_at = clock_timestamp() WHERE id = $1';
const removeTask = 'DELETE FROM tasks WHERE id = $1 AND deleted_at IS NOT NULL';

const gone = 'gone';
/** A committed state of a task: its title, or `gone`. The times of the database before and after the commit. */
type Committed = { id: string; state: string; before: string; after: string };
/** The content of a copy when it was complete, and a time of the database after it was read. */
type Complete = { asOf: string; readAt: string; held: ReadonlyMap<string, string> };

describe('A copy that follows the changes of tasks', function () {
  this.timeout(propertyTimeoutMs);
  let database: TestDatabase;
  let db: Database;
  // without the tasks of the other test, which a copy would have to read first
  beforeEach(async () => {
    database = await testDatabase(migrations);
    ({ db } = database);
  });
  afterEach(async () => await database.drop());

  const runs = { ...propertyRuns({ test: 8, drill: 100 }), endOnFailure: true };
  const now = async () =>
    (await query<{ at: string }>(db.pool, `SELECT ${isoMicros('clock_timestamp()')} AS at`))[0]!.at;

  it('has every task as it was last committed, in whichever order transactions commit', async () => {
    const { tasks } = createFeeds(db, takingTurns(10).sync, () => undefined);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 40, maxLength: 120 }), async (steps) => await follow(steps, tasks)),
      runs,
    );
  });

  it('would miss tasks if it did not wait for transactions that write (canary)', async () => {
    const { tasks } = createFeeds(db, takingTurns(10).sync, () => undefined);
    const hasty: Feed = {
      ...tasks,
      async settle() {
        const [row] = await query<{ number: number }>(db.pool, 'SELECT last_value::float8 AS number FROM task_changes');
        return { number: row!.number, asOf: await now(), epoch: db.sourceEpoch().epoch };
      },
    };
    const steps: Step[] = [
      { writer: 0, kind: 'create' },
      { writer: 1, kind: 'create' },
      { writer: 1, kind: 'commit' },
      ...Array.from({ length: 20 }, (): Step => ({ writer: 2, kind: 'pause' })),
      { writer: 0, kind: 'commit' },
    ];
    const failure = await follow(steps, hasty).catch((error: unknown) => error);
    expect(failure)
      .to.be.instanceOf(Error)
      .with.property('message')
      .that.matches(/the copy/);
  });

  /** Leaves four tasks of earlier runs for the first steps: each new copy reads all that exist, one or three at a time. */
  async function keepFewTasks(): Promise<void> {
    await query(db.pool, 'DELETE FROM tasks WHERE id NOT IN (SELECT id FROM tasks ORDER BY id DESC LIMIT 4)');
  }

  /** Takes the steps while two copies follow, and compares the copies with what was committed. */
  async function follow(steps: readonly Step[], feed: Feed): Promise<void> {
    await keepFewTasks();
    const ending = new AbortController();
    const copies = [1, 3].map((limit) => startCopy(feed, limit, ending.signal));
    const committed = await takeSteps(steps).finally(() => ending.abort());
    const expected = new Map<string, string>();
    for (const { id, state } of committed) expected.set(id, state);
    const rows = await query<{ id: string; title: string }>(
      db.pool,
      'SELECT id, title FROM tasks WHERE deleted_at IS NULL',
    );
    const left = new Map(rows.map(({ id, title }) => [id, title]));
    for (const { completed, held } of await Promise.all(copies)) {
      expect(Object.fromEntries(held), 'the copy at the end').to.deep.equal(Object.fromEntries(left));
      for (const one of completed) expectComplete(one, committed);
    }
    for (const [id, state] of expected) expect(left.get(id) ?? gone).to.equal(state);
  }

  /** Follows until the end, and then until everything is there. */
  async function startCopy(feed: Feed, limit: number, ending: AbortSignal) {
    const held = new Map<string, string>();
    const completed: Complete[] = [];
    let position: Position | undefined;
    let last: string | undefined;
    const ports = { feeds: { tasks: feed, people: feed }, changes: createWaiters() };
    const standing = { reader: null, role: 'admin' };
    const user = { standing, currentStanding: async () => standing };
    const command = { feed: 'tasks', ...user, limit, waitSeconds: 0, hangUp: ending } as const;
    for (;;) {
      if (ending.aborted) last ??= await now();
      const page = await followChanges(ports, { ...command, position });
      for (const text of page.items) {
        const { id, title, deleted } = JSON.parse(text) as { id: string; title: string; deleted?: true };
        if (deleted === true) held.delete(id);
        else held.set(id, title);
      }
      position = page.next;
      if (page.more) continue;
      completed.push({ asOf: page.asOf, readAt: await now(), held: new Map(held) });
      if (last !== undefined && page.asOf > last) return { held, completed };
    }
  }

  async function takeSteps(steps: readonly Step[]): Promise<Committed[]> {
    const clients: PoolClient[] = [];
    for (let n = 0; n < writers; n++) clients.push(await db.pool.connect());
    const open = clients.map(() => new Map<string, string>());
    const committed: Committed[] = [];
    const ids: string[] = (await query<{ id: string }>(db.pool, 'SELECT id FROM tasks ORDER BY id DESC LIMIT 4')).map(
      ({ id }) => id,
    );

    async function end(writer: number, how: 'COMMIT' | 'ROLLBACK'): Promise<void> {
      const changes = open[writer]!;
      if (changes.size === 0) return;
      const before = await now();
      await clients[writer]!.query(how);
      const after = await now();
      if (how === 'COMMIT') committed.push(...[...changes].map(([id, state]) => ({ id, state, before, after })));
      changes.clear();
    }

    async function change(writer: number, text: string, id: string | null): Promise<void> {
      const changes = open[writer]!;
      // another writer that has locked the row would block this one forever
      if (open.some((other) => other !== changes && other.has(id ?? ''))) return;
      const client = clients[writer]!;
      if (changes.size === 0) await client.query('BEGIN');
      const { rows, rowCount } = await client.query<{ id?: string; title?: string }>(text, [id]);
      const changed = rows[0]?.id ?? id ?? '';
      if (text === insertTask) ids.push(changed);
      if (rowCount === 0 && changes.size === 0) await client.query('ROLLBACK');
      else if (rowCount !== 0 || !changes.has(changed)) await note(changes, client, changed);
    }

    async function note(changes: Map<string, string>, client: PoolClient, id: string): Promise<void> {
      const { rows } = await client.query<{ title: string }>(
        'SELECT title FROM tasks WHERE id = $1 AND deleted_at IS NULL',
        [id],
      );
      changes.set(id, rows[0]?.title ?? gone);
    }

    try {
      for (const one of steps) {
        if (one.kind === 'pause') await query(db.pool, 'SELECT pg_sleep(0.001)');
        else if (one.kind === 'commit') await end(one.writer, 'COMMIT');
        else if (one.kind === 'roll back') await end(one.writer, 'ROLLBACK');
        else if (one.kind === 'create') await change(one.writer, insertTask, null);
        else if ('row' in one) {
          const text = { rename: renameTask, delete: deleteTask, 'remove for good': removeTask }[one.kind];
          const id = ids[one.row % Math.max(ids.length, 1)];
          if (id !== undefined) await change(one.writer, text, id);
        }
      }
      for (let writer = 0; writer < writers; writer++) await end(writer, 'COMMIT');
      return committed;
    } finally {
      for (const client of clients) client.release();
    }
  }
});

/** A task whose last change was committed by then is held in that state. One that has changed since may be missing, and comes later. */
function expectComplete({ asOf, readAt, held }: Complete, committed: readonly Committed[]): void {
  for (const [id, states] of Map.groupBy(committed, (one) => one.id)) {
    const last = states.findLast(({ before }) => before <= readAt);
    if (last === undefined || last.after > asOf) continue;
    expect(held.get(id) ?? gone, `the copy as of ${asOf}, in task ${id}`).to.equal(last.state);
  }
}
