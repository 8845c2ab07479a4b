import { onlyRow, query, type Queryable, type Tx } from '@taskwire/postgres';
import { waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import { addition, removal } from '../../src/domain/links/dependencies.ts';
import { changeState } from '../../src/domain/transitions.ts';
import { applyChange } from '../../src/postgres/apply.ts';
import { linkStore } from '../../src/postgres/links/store.ts';
import { lockToEnd } from '../../src/postgres/locks.ts';
import type { Task } from '../support/api.ts';
import { numberCommits, readEntries, timesAnnounced, timesUnblocked } from '../support/commit-order.ts';
import { expectDone, linkTools } from '../support/links.ts';
import { tasksTeam, type Person, type TasksHarness } from '../support/tasks-harness.ts';

describe('A blocker that ends while its dependency is being added', () => {
  let harness: TasksHarness;
  let ann: Person;
  let links: ReturnType<typeof linkTools>;
  let task: Task;
  let blocker: Task;
  let other: Task;

  before(async () => {
    ({ harness, ann } = await tasksTeam());
    links = linkTools(harness);
    await numberCommits(harness.database.db);
  });
  after(async () => await harness.stop());
  beforeEach(async () => {
    task = await harness.createTask(ann);
    blocker = await harness.createTask(ann);
    other = await harness.createTask(ann);
  });

  const add = async (tx: Tx, { id }: Task) =>
    await linkStore.addDependency(tx, { taskId: task.id, blockerId: id, change: addition(id), actorId: ann.id });
  const remove = async (tx: Tx, { id }: Task) =>
    await linkStore.removeDependency(tx, { taskId: task.id, blockerId: id, change: removal(id), actorId: ann.id });
  const cancel = async (tx: Tx, { id }: Task) => {
    for (const locked of await lockToEnd(tx, [id], null))
      await applyChange(tx, locked, changeState(locked, 'cancelled'), ann.id);
  };

  const logBy = async (order: 'commits' | 'times') =>
    await readEntries(harness.database.db, [task.id, blocker.id, other.id], order);

  const processOf = async (tx: Queryable) =>
    onlyRow(await query<{ pid: number }>(tx, 'SELECT pg_backend_pid() AS pid')).pid;
  /** Resolves when this number of transactions wait for a lock that the process holds. */
  const untilWaiting = async (pid: number, count: number) => {
    const text = 'SELECT FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))';
    await waitFor(async () => (await query(harness.database.db.pool, text, [pid])).length === count, { what: 'locks' });
  };

  /**
   * Lets `task` wait for `blocker`, and cancels the blocker. The statement that locks the blocker begins before the dependency is committed, so it does
   * not lock `task`. Before the transaction locks `task` to announce it, another one changes `task`.
   */
  async function endWhile(change: (tx: Tx) => Promise<void>): Promise<void> {
    const { db } = harness.database;
    const started = await db.transaction(async (adding) => {
      const adder = await processOf(adding);
      await linkStore.lockTasks(adding, [task.id, blocker.id], null);
      await add(adding, blocker);
      const ending = db.transaction(async (tx) => await cancel(tx, blocker));
      await untilWaiting(adder, 1);
      const changing = db.transaction(async (tx) => {
        const changer = await processOf(tx);
        await linkStore.lockTasks(tx, [task.id], null);
        await untilWaiting(changer, 1);
        await change(tx);
      });
      await untilWaiting(adder, 2);
      return [ending, changing];
    });
    await Promise.all(started);
  }

  const changes: Record<string, (tx: Tx) => Promise<void>> = {
    'gets another blocker': async (tx) => await add(tx, other),
    'loses the dependency': async (tx) => await remove(tx, blocker),
    ends: async (tx) => await cancel(tx, task),
  };
  for (const [name, change] of Object.entries(changes)) {
    it(`does not announce a task that ${name} before it is locked, although the entry of that change is the later one`, async () => {
      await endWhile(change);
      const [byCommits, byTimes] = await Promise.all([logBy('commits'), logBy('times')]);
      expect(timesAnnounced(task.id, byCommits)).to.equal(0);
      expect(timesUnblocked(task.id, byCommits)).to.equal(0);
      expect(timesUnblocked(task.id, byTimes), 'the interleaving').to.equal(1);
    });
  }

  it('announces a task once whose other blocker ends before it is locked', async () => {
    expectDone(await links.block(ann, task, other));
    await endWhile(async (tx) => await cancel(tx, other));
    const log = await logBy('commits');
    expect(timesAnnounced(task.id, log)).to.equal(1);
    expect(timesUnblocked(task.id, log)).to.equal(1);
  });
});
