import { query } from '@taskwire/postgres';
import { propertyRuns, propertyTimeoutMs } from '@taskwire/testing';
import { expect } from 'chai';
import fc from 'fast-check';
import { pathOfWaits, type Wait } from '../../src/domain/links/cycle.ts';
import { codeOf, type Answer, type Task } from '../support/api.ts';
import { numberCommits, readEntries, timesAnnounced, timesUnblocked } from '../support/commit-order.ts';
import { graphModel, type GraphStep } from '../support/graph-model.ts';
import { linkTools } from '../support/links.ts';
import { tasksTeam, type Person, type TasksHarness } from '../support/tasks-harness.ts';

const count = 7;
const place = fc.nat(count - 1);
const step: fc.Arbitrary<GraphStep> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('block'), task: place, other: place }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('place'), task: place, other: place }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('unblock'), task: place, other: place }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('start', 'complete', 'start', 'complete', 'cancel', 'delete'),
      task: place,
    }),
  },
) as fc.Arbitrary<GraphStep>;

describe('The graph of tasks', function () {
  this.timeout(propertyTimeoutMs);
  let harness: TasksHarness;
  let manager: Person;
  let ann: Person;
  let links: ReturnType<typeof linkTools>;

  before(async () => {
    ({ harness, manager, ann } = await tasksTeam());
    links = linkTools(harness);
    await numberCommits(harness.database.db);
  });
  after(async () => await harness.stop());

  const createTasks = async (): Promise<Task[]> =>
    await Promise.all(
      Array.from({ length: count }, async () => await harness.createTask(manager, { assignee_id: ann.id })),
    );

  /** Takes a step, and returns the code of the problem that refuses it, or `done`. */
  async function take(tasks: readonly Task[], taken: GraphStep): Promise<string> {
    const answer = await send(tasks, taken);
    expect(answer.status, JSON.stringify(answer.body)).to.be.below(500);
    return answer.status < 300 ? 'done' : codeOf(answer);
  }

  async function send(tasks: readonly Task[], taken: GraphStep): Promise<Answer> {
    const task = tasks[taken.task]!;
    switch (taken.kind) {
      case 'block':
        return await links.block(manager, task, tasks[taken.other]!);
      case 'unblock':
        return await links.unblock(manager, task, tasks[taken.other]!);
      case 'place':
        return await links.place(manager, task, taken.other === taken.task ? null : tasks[taken.other]!);
      case 'start':
        return await links.move(ann, task, 'in_progress');
      case 'complete':
        return await links.move(ann, task, 'completed');
      case 'cancel':
        return await links.move(manager, task, 'cancelled');
      case 'delete':
        return await links.remove(manager, task);
    }
  }

  it('equals a model after any steps, and so does the response to each step', async () => {
    const run = fc.asyncProperty(fc.array(step, { minLength: 15, maxLength: 30 }), async (steps) => {
      const tasks = await createTasks();
      const model = graphModel(count);
      for (const one of steps) expect(await take(tasks, one), JSON.stringify(one)).to.equal(model.take(one));
      expect(await seen(tasks)).to.deep.equal(model.seen());
    });
    await fc.assert(run, { ...propertyRuns({ test: 4, drill: 100 }), endOnFailure: true });
  });

  /** Each task as a client sees it; null for a deleted task. */
  async function seen(tasks: readonly Task[]) {
    return await Promise.all(
      tasks.map(async ({ id }) => {
        const answer = await harness.call('getTask', {
          token: manager.token,
          params: { id },
          query: { include: 'stats' },
        });
        if (answer.status === 404) return null;
        const { state, parent_id, stats } = answer.body as Task & {
          stats: { blocked: boolean; open_subtasks: number };
        };
        const parent = parent_id === null ? null : tasks.findIndex((one) => one.id === parent_id);
        const unblocked = (await harness.activity(manager, { id })).filter(
          ({ action }) => action === 'unblocked',
        ).length;
        return { state, parent, blocked: stats.blocked, open: stats.open_subtasks, unblocked };
      }),
    );
  }

  it('has no cycle, no task below a deleted one, and announces each task once, also when several users change it at the same time', async () => {
    const workers = fc.array(fc.array(step, { minLength: 10, maxLength: 15 }), { minLength: 4, maxLength: 4 });
    const run = fc.asyncProperty(workers, async (plans) => {
      const tasks = await createTasks();
      await Promise.all(
        plans.map(async (steps) => {
          for (const one of steps) await take(tasks, one);
        }),
      );
      const ids = tasks.map(({ id }) => id);
      const waits = await rows<Wait>(unfinishedWaits, ids);
      for (const { task, waitsFor } of waits) expect(pathOfWaits(waits, waitsFor, task), 'a cycle').to.equal(undefined);
      expect(await rows(leftBelowDeleted, ids)).to.deep.equal([]);
      const log = await readEntries(harness.database.db, ids);
      for (const id of ids) expect(timesAnnounced(id, log), 'times announced').to.equal(timesUnblocked(id, log));
    });
    await fc.assert(run, { ...propertyRuns({ test: 3, drill: 80 }), endOnFailure: true });
  });

  const rows = async <R extends object>(text: string, ids: readonly string[]) =>
    await query<R>(harness.database.db.pool, text, [ids]);
});

const unfinishedWaits = `
  SELECT edge.task_id AS task, edge.blocker_id AS "waitsFor" FROM task_blockers edge
    JOIN tasks task ON task.id = edge.task_id JOIN tasks blocker ON blocker.id = edge.blocker_id
  WHERE edge.task_id = ANY ($1) AND task.state NOT IN ('completed', 'cancelled') AND blocker.state NOT IN ('completed', 'cancelled')
  UNION ALL
  SELECT child.parent_id, child.id FROM tasks child JOIN tasks parent ON parent.id = child.parent_id
  WHERE child.id = ANY ($1) AND child.state NOT IN ('completed', 'cancelled') AND parent.state NOT IN ('completed', 'cancelled')`;

const leftBelowDeleted = `
  SELECT child.id FROM tasks child JOIN tasks parent ON parent.id = child.parent_id
  WHERE child.id = ANY ($1) AND child.deleted_at IS NULL AND parent.deleted_at IS NOT NULL`;
