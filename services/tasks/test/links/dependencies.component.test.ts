import { query } from '@taskwire/postgres';
import { expect } from 'chai';
import { unblocking } from '../../src/domain/links/dependencies.ts';
import type { Task } from '../support/api.ts';
import { expectDone, expectProblem, idsOf, linkTools } from '../support/links.ts';
import { moveTask, projectOf } from '../support/projects.ts';
import { tasksTeam, type Person, type TasksHarness } from '../support/tasks-harness.ts';

describe('Dependencies', () => {
  let harness: TasksHarness;
  let manager: Person;
  let ann: Person;
  let ben: Person;
  let links: ReturnType<typeof linkTools>;
  /** A task that Ann created. */
  let task: Task;
  let blocker: Task;

  before(async () => {
    ({ harness, manager, ann, ben } = await tasksTeam());
    links = linkTools(harness);
  });
  after(async () => await harness.stop());
  beforeEach(async () => {
    task = await harness.assign(manager, await harness.createTask(ann), ann);
    blocker = await harness.createTask(ann);
  });

  const rows = async (text: string, ...values: unknown[]) => await query(harness.database.db.pool, text, values);
  const actions = async ({ id }: { id: string }) =>
    (await harness.activity(ann, { id })).map(({ action }) => action).filter((action) => /block/.test(action));

  describe('between two tasks', () => {
    it('are added and removed by the creator of the blocked task and by managers, repeatedly without effect', async () => {
      for (const person of [ann, manager]) {
        expectDone(await links.block(person, task, blocker));
        expectDone(await links.block(person, task, blocker));
        expectDone(await links.unblock(person, task, blocker));
        expectDone(await links.unblock(person, task, blocker));
      }
      await harness.assign(manager, task, ben);
      for (const call of [links.block, links.unblock]) expectProblem(await call(ben, task, blocker), 'forbidden');
      expect(await actions(task)).to.deep.equal([
        ...['blocker_added', 'blocker_removed', 'blocker_added', 'blocker_removed'],
      ]);
    });

    it('have an event and an entry in the activity of the blocked task, and no version', async () => {
      expectDone(await links.block(ann, task, blocker));
      expectDone(await links.unblock(ann, task, blocker));
      for (const one of [task, blocker]) expect(await harness.read(ann, one)).to.deep.equal(one);
      const seen = await harness.observer.expectAbout(task.id, [
        ...['created', 'changed', 'assigned', 'blocker_added', 'blocker_removed'],
      ]);
      const entries = (await harness.activity(ann, task)).slice(-2);
      expect(entries.map(({ field, from, to }) => [field, from, to])).to.deep.equal([
        ['blocked_by', null, blocker.id],
        ['blocked_by', blocker.id, null],
      ]);
      for (const [index, { payload }] of seen.slice(-2).entries())
        expect(payload).to.deep.equal({
          ...{ task_uuid: task.id, blocker_uuid: blocker.id, project_id: null, actor: ann.id },
          timestamp: entries[index]?.created_at,
        });
      await harness.observer.expectAbout(blocker.id, ['created', 'changed']);
    });

    it('need two tasks that exist; the blocked one is for people and has not ended', async () => {
      const unknown = { id: crypto.randomUUID() };
      expectProblem(await links.block(ann, unknown, blocker), 'not_found');
      expectProblem(await links.block(ann, task, unknown), 'not_found');
      expectProblem(await links.unblock(ann, unknown, blocker), 'not_found');
      expectDone(await links.unblock(ann, task, unknown));
      const job = { queue: 'mails', kind: 'send', run_at: '2100-01-01T00:00:00Z' };
      const ofJob = await harness.createTask(manager, { kind: 'job', job });
      expectProblem(await links.block(manager, ofJob, blocker), 'illegal_transition');
      expectDone(await links.block(manager, task, ofJob));
      await harness.transition(ann, blocker, 'cancelled');
      expectProblem(await links.block(ann, blocker, task), 'illegal_transition');
      // a blocker that has ended blocks nothing
      expectDone(await links.unblock(ann, task, ofJob));
      expectDone(await links.block(ann, task, blocker));
      await harness.transition(ann, task, 'in_progress');
    });

    it('are at most 100 each way', async () => {
      await rows(
        `WITH other AS (
           INSERT INTO tasks (title, description, state, priority, labels, creator_id, created_at, updated_at)
           SELECT 'x', '', 'draft', 'normal', '{}', $2, now(), now() FROM generate_series(1, 100) RETURNING id
         ), blocking AS (INSERT INTO task_blockers SELECT $1, id FROM other)
         INSERT INTO task_blockers SELECT id, $3 FROM other`,
        ...[task.id, ann.id, blocker.id],
      );
      const more = await harness.createTask(ann);
      expectProblem(await links.block(ann, task, more), 'too_many_links');
      expectProblem(await links.block(ann, more, blocker), 'too_many_links');
      expectDone(await links.block(ann, more, task));
    });
  });

  describe('in a cycle', () => {
    it('are refused with the path, however long it is', async () => {
      const tasks = [task, blocker];
      while (tasks.length < 6) tasks.push(await harness.createTask(ann));
      for (const [index, one] of tasks.slice(1).entries()) expectDone(await links.block(ann, tasks[index]!, one));
      const problem = expectProblem(await links.block(ann, tasks[5]!, task), 'dependency_cycle');
      expect([problem.status, idsOf(problem.path), problem.task_count]).to.deep.equal([422, idsOf(tasks), 6]);
      expect(idsOf(expectProblem(await links.block(ann, task, task), 'dependency_cycle').path)).to.deep.equal([
        task.id,
      ]);
    });

    it('are refused if a part of the cycle is a sub-task', async () => {
      const subtask = await links.subtask(ann, task);
      const problem = expectProblem(await links.block(ann, subtask, task), 'dependency_cycle');
      expect(idsOf(problem.path)).to.deep.equal([task.id, subtask.id]);
      expectDone(await links.block(ann, blocker, task));
      // blocker waits for task, and task for its sub-tasks
      const placed = expectProblem(await links.place(ann, blocker, task), 'dependency_cycle');
      expect(idsOf(placed.path)).to.deep.equal([blocker.id, task.id]);
      expectProblem(await links.block(ann, subtask, blocker), 'dependency_cycle');
    });

    it('are possible through tasks that have ended, which wait for nothing', async () => {
      expectDone(await links.block(ann, task, blocker));
      await harness.transition(ann, blocker, 'cancelled');
      const middle = await harness.createTask(ann);
      expectDone(await links.block(ann, middle, task));
      expectDone(await links.block(ann, task, blocker));
    });

    it('are refused through a deleted task, which may be restored', async () => {
      const middle = await harness.createTask(ann);
      expectDone(await links.block(ann, task, middle));
      expectDone(await links.block(ann, middle, blocker));
      expectDone(await links.remove(ann, middle));
      const problem = expectProblem(await links.block(ann, blocker, task), 'dependency_cycle');
      expect([idsOf(problem.path), problem.task_count]).to.deep.equal([[task.id, blocker.id], 3]);
    });

    it('that are added at the same moment: exactly one succeeds', async () => {
      for (let round = 0; round < 10; round++) {
        const [a, b] = [await harness.createTask(ann), await harness.createTask(ann)];
        const answers = await Promise.all([links.block(ann, a, b), links.block(ann, b, a)]);
        expect(answers.map(({ status }) => status).toSorted()).to.deep.equal([204, 422]);
        expect(await rows('SELECT FROM task_blockers WHERE task_id = ANY ($1)', [a.id, b.id])).to.have.length(1);
      }
    });
  });

  describe('on tasks in projects that the caller may not read', () => {
    it('are counted and not named, and neither added nor found', async () => {
      const { id: projectId } = await projectOf(harness, manager, [[ben, 'contributor']]);
      const hidden = await harness.createTask(manager, { title: 'Zanzibar' });
      await moveTask(harness, manager, hidden, projectId);
      expectProblem(await links.block(ann, task, hidden), 'not_found');
      expectDone(await links.block(manager, task, hidden));
      expectDone(await links.block(manager, task, blocker));
      const problem = expectProblem(await links.move(ann, task, 'in_progress'), 'task_blocked');
      expect([idsOf(problem.tasks), problem.task_count]).to.deep.equal([[blocker.id], 2]);
      expectDone(await links.block(manager, hidden, blocker));
      const { path, task_count } = expectProblem(await links.block(ann, blocker, task), 'dependency_cycle');
      expect([idsOf(path), task_count]).to.deep.equal([[task.id, blocker.id], 2]);
      expectDone(await links.unblock(manager, task, blocker));
      const longer = expectProblem(await links.block(ann, blocker, task), 'dependency_cycle');
      expect([idsOf(longer.path), longer.task_count]).to.deep.equal([[task.id, blocker.id], 3]);
    });

    it('take no place among the 20 that are named', async () => {
      const { id: projectId } = await projectOf(harness, manager, []);
      await rows(
        `WITH hidden AS (
           INSERT INTO tasks (title, description, state, priority, labels, creator_id, project_id, created_at, updated_at)
           SELECT 'x', '', 'draft', 'normal', '{}', $2, $3, now(), now() FROM generate_series(1, 20) RETURNING id
         ) INSERT INTO task_blockers SELECT $1, id FROM hidden`,
        ...[task.id, manager.id, projectId],
      );
      const shown = await harness.createTask(ann);
      expectDone(await links.block(ann, task, shown));
      const problem = expectProblem(await links.move(ann, task, 'in_progress'), 'task_blocked');
      expect([idsOf(problem.tasks), problem.task_count]).to.deep.equal([[shown.id], 21]);
    });
  });

  describe('of a blocked task', () => {
    it('let it be neither started nor completed, and name up to 20 open blockers', async () => {
      expectDone(await links.block(ann, task, blocker));
      const problem = expectProblem(await links.move(ann, task, 'in_progress'), 'task_blocked');
      expect(problem).to.deep.include({
        status: 422,
        tasks: [{ id: blocker.id, title: blocker.title }],
        task_count: 1,
      });
      expectDone(await links.unblock(ann, task, blocker));
      await harness.transition(ann, task, 'in_progress');
      for (let count = 0; count < 21; count++) expectDone(await links.block(ann, task, await harness.createTask(ann)));
      const many = expectProblem(await links.move(ann, task, 'completed'), 'task_blocked');
      expect([many.tasks?.length, many.task_count]).to.deep.equal([20, 21]);
      await harness.transition(ann, task, 'cancelled');
    });

    it('can be overridden by a manager with a reason, which the activity log shows', async () => {
      expectDone(await links.block(ann, task, blocker));
      const override = { override_blocked: true, reason: 'The paint is dry.' };
      expectProblem(await links.move(ann, task, 'in_progress', override), 'forbidden');
      for (const more of [{ override_blocked: true }, { override_blocked: true, reason: ' ' }]) {
        const { errors } = expectProblem(await links.move(manager, task, 'in_progress', more), 'invalid_input');
        expect(errors?.map(({ field }) => field)).to.deep.equal(['reason']);
      }
      expect((await links.move(manager, task, 'in_progress', override)).body).to.include({ state: 'in_progress' });
      expect((await harness.activity(ann, task)).at(-1)).to.deep.include({
        ...{ action: 'started', reason: '1 open blocker overridden', why: 'The paint is dry.' },
        actor: { id: manager.id, name: 'Mona' },
      });
      expectProblem(await links.move(ann, task, 'completed'), 'task_blocked');
      // one kind of override does not imply the other
      await links.subtask(ann, task);
      expectProblem(await links.move(manager, task, 'completed', override), 'open_subtasks');
      expectProblem(await links.move(manager, task, 'completed', { force: true }), 'task_blocked');
      expect((await links.move(manager, task, 'completed', { ...override, force: true })).status).to.equal(200);
      expect((await harness.activity(ann, task)).at(-1)).to.include({
        ...{ reason: '1 open blocker overridden, 1 open sub-task left open', why: 'The paint is dry.' },
      });
    });

    it('may only be overridden by a transition that they hinder', async () => {
      for (const [state, more, field] of [
        ['cancelled', { override_blocked: true, reason: 'x' }, 'override_blocked'],
        ['in_progress', { force: true }, 'force'],
      ] as const) {
        const { errors } = expectProblem(await links.move(manager, task, state, more), 'invalid_input');
        expect(errors?.map((error) => error.field)).to.deep.equal([field]);
      }
      expectProblem(
        await links.move(manager, task, 'in_progress', { override_blocked: true, reason: 'x' }),
        'forbidden',
      );
    });
  });

  describe('on an ended blocker', () => {
    const unblockedEvents = ({ id }: { id: string }) =>
      harness.observer.about(id).filter(({ type }) => type === 'tasks.task.unblocked');

    /** Ends the only blocker of `task` in one way. */
    const ways: Record<string, () => Promise<unknown>> = {
      'is completed': async () => {
        await harness.assign(manager, blocker, ben);
        for (const state of ['in_progress', 'completed']) await harness.transition(ben, blocker, state);
      },
      'is cancelled': async () => await harness.transition(ann, blocker, 'cancelled'),
      'is deleted': async () => expectDone(await links.remove(ann, blocker)),
      'is deleted with the task above it': async () => {
        const parent = await harness.createTask(ann);
        expect((await links.place(ann, blocker, parent)).status).to.equal(200);
        expectDone(await links.remove(ann, parent));
      },
    };
    for (const [way, end] of Object.entries(ways)) {
      it(`${way}, the blocked task is announced once`, async () => {
        expectDone(await links.block(ann, task, blocker));
        await end();
        const seen = await harness.observer.expectAbout(task.id, [
          ...['created', 'changed', 'assigned', 'blocker_added', 'unblocked'],
        ]);
        const entry = (await harness.activity(ann, task)).at(-1);
        const { event, entry: rule } = unblocking({ assignee_id: ann.id });
        const { type, ...fields } = event;
        expect(entry).to.include(rule);
        expect(seen.at(-1)?.type).to.equal(type);
        expect(seen.at(-1)?.payload).to.deep.equal({
          ...{ task_uuid: task.id, project_id: null, timestamp: entry?.created_at, actor: entry?.actor?.id },
          ...fields,
        });
        expect(await harness.read(ann, task)).to.include({ version: 2 });
        await harness.transition(ann, task, 'in_progress');
      });
    }

    it('says nothing while another is open, and nothing again when an ended one is deleted', async () => {
      const other = await harness.createTask(ann);
      for (const one of [blocker, other]) expectDone(await links.block(ann, task, one));
      await harness.transition(ann, blocker, 'cancelled');
      expect(await actions(task)).to.deep.equal(['blocker_added', 'blocker_added']);
      await harness.transition(ann, other, 'cancelled');
      for (const one of [blocker, other]) expectDone(await links.remove(ann, one));
      expect(await actions(task)).to.deep.equal(['blocker_added', 'blocker_added', 'unblocked']);
    });

    it('does not announce a task that has ended or was deleted, or whose dependency was removed', async () => {
      const [ended, deleted, free] = [await harness.createTask(ann), await harness.createTask(ann), task];
      for (const one of [ended, deleted, free]) expectDone(await links.block(ann, one, blocker));
      await harness.transition(ann, ended, 'cancelled');
      expectDone(await links.remove(ann, deleted));
      expectDone(await links.unblock(ann, free, blocker));
      await harness.transition(ann, blocker, 'cancelled');
      expect(
        await rows(
          "SELECT FROM task_activity WHERE action = 'unblocked' AND task_id = ANY ($1)",
          idsOf([ended, deleted, free]),
        ),
      ).to.have.length(0);
    });

    it('is announced by the transaction that ends the last one, if two end at the same time', async () => {
      // the interleaving in which neither transaction sees the end of the other blocker before it looks
      const other = await harness.createTask(ann);
      for (const one of [blocker, other]) expectDone(await links.block(ann, task, one));
      const { db } = harness.database;
      const end = "UPDATE tasks SET state = 'cancelled', version = version + 1 WHERE id = $1";
      const unblock = "SELECT unblock_tasks(ARRAY[$1::uuid], NULL, '{}') AS count";
      const counts = await db.transaction(async (first) => {
        await first.query(end, [blocker.id]);
        const second = db.transaction(async (tx) => {
          await tx.query(end, [other.id]);
          return await tx.query(unblock, [other.id]);
        });
        const [mine] = await first.query(unblock, [blocker.id]);
        return { mine, second };
      });
      expect([counts.mine, ...(await counts.second)]).to.have.deep.members([{ count: 0 }, { count: 1 }]);
      expect(await actions(task)).to.deep.equal(['blocker_added', 'blocker_added', 'unblocked']);
    });

    it('is announced once for each task, however many of its blockers end at the same time', async () => {
      for (let round = 0; round < 8; round++) {
        const blocked = [await harness.createTask(ann), await harness.createTask(ann)];
        const blockers = await Promise.all(Array.from({ length: 4 }, async () => await harness.createTask(ann)));
        for (const one of blocked) for (const by of blockers) expectDone(await links.block(ann, one, by));
        const answers = await Promise.all([
          ...blockers.slice(0, 2).map(async (one) => await links.move(ann, one, 'cancelled')),
          ...blockers.slice(2).map(async (one) => await links.remove(ann, one)),
        ]);
        expect(answers.map(({ status }) => status)).to.deep.equal([200, 200, 204, 204]);
        for (const one of blocked) {
          expect((await actions(one)).filter((action) => action === 'unblocked')).to.have.length(1);
          await harness.observer.expectAbout(one.id, [
            ...['created', 'changed', 'blocker_added', 'blocker_added', 'blocker_added', 'blocker_added', 'unblocked'],
          ]);
          expect(unblockedEvents(one)).to.have.length(1);
        }
      }
    });
  });
});
