import { query } from '@taskwire/postgres';
import { expect } from 'chai';
import type { Task } from '../support/api.ts';
import { expectDone, expectProblem, idsOf, linkTools } from '../support/links.ts';
import { moveTask, projectOf } from '../support/projects.ts';
import { tasksTeam, type Person, type TasksHarness } from '../support/tasks-harness.ts';

describe('Sub-tasks', () => {
  let harness: TasksHarness;
  let manager: Person;
  let ann: Person;
  let ben: Person;
  let links: ReturnType<typeof linkTools>;
  let parent: Task;

  before(async () => {
    ({ harness, manager, ann, ben } = await tasksTeam());
    links = linkTools(harness);
  });
  after(async () => await harness.stop());
  beforeEach(async () => {
    parent = await harness.createTask(ann);
  });

  /** A task, a sub-task of it, and so on. */
  async function chain(levels: number): Promise<Task[]> {
    const tasks = [await harness.createTask(ann)];
    while (tasks.length < levels) tasks.push(await links.subtask(ann, tasks.at(-1)!));
    return tasks;
  }
  const inProgress = async (more: Record<string, unknown> = {}): Promise<Task> => {
    const task = await harness.createTask(manager, { assignee_id: ann.id, ...more });
    return await harness.transition(ann, task, 'in_progress');
  };
  const addSubtask = async (person: Person, more: Record<string, unknown> = {}) =>
    await harness.call('createTask', { token: person.token, body: { title: 'x', parent_id: parent.id, ...more } });
  const rows = async (text: string, ...values: unknown[]) => await query(harness.database.db.pool, text, values);

  describe('when they are created', () => {
    it('name their parent, whose version stays the same', async () => {
      const subtask = await links.subtask(ann, parent);
      expect(subtask).to.include({ parent_id: parent.id, state: 'draft' });
      expect(await harness.read(ben, subtask)).to.deep.equal(subtask);
      expect(await harness.read(ann, parent)).to.deep.equal(parent);
      await harness.observer.expectAbout(subtask.id, ['created', 'changed']);
    });

    it('are assigned at once to a given or a random performer, or are carried out by a job', async () => {
      expect(await links.subtask(manager, parent, { assignee_id: ben.id })).to.include({ assignee_id: ben.id });
      expect(await links.subtask(manager, parent, { assign: 'random' })).to.include({ state: 'assigned' });
      const job = { queue: 'mails', kind: 'send', run_at: '2100-01-01T00:00:00Z' };
      expect(await links.subtask(manager, parent, { kind: 'job', job })).to.include({ parent_id: parent.id });
      expectProblem(await addSubtask(manager, { assignee_id: manager.id }), 'ineligible_assignee');
      expectProblem(await addSubtask(manager, { assignee_id: crypto.randomUUID() }), 'unknown_assignee');
    });

    it('are created once for an Idempotency-Key', async () => {
      const headers = { 'idempotency-key': crypto.randomUUID() };
      const add = async () =>
        await harness.call('createTask', { token: ann.token, headers, body: { title: 'x', parent_id: parent.id } });
      const [first, second] = [await add(), await add()];
      expect(second.body).to.deep.equal(first.body);
      expect(await rows('SELECT FROM tasks WHERE parent_id = $1', parent.id)).to.have.length(1);
    });

    it('may be added by the creator and the assignee of the parent, and by managers', async () => {
      expectProblem(await addSubtask(ben), 'forbidden');
      await harness.assign(manager, parent, ben);
      for (const person of [ann, ben, manager]) expect((await addSubtask(person)).status).to.equal(201);
    });

    it('need a parent for people that exists and has not ended', async () => {
      expectProblem(await addSubtask(ann, { parent_id: crypto.randomUUID() }), 'unknown_parent');
      await harness.transition(ann, parent, 'cancelled');
      expectProblem(await addSubtask(ann), 'illegal_transition');
      await links.remove(ann, parent);
      expectProblem(await addSubtask(ann), 'unknown_parent');
      const job = { queue: 'mails', kind: 'send', run_at: '2100-01-01T00:00:00Z' };
      const ofJob = await harness.createTask(manager, { kind: 'job', job });
      expectProblem(await addSubtask(manager, { parent_id: ofJob.id }), 'illegal_transition');
    });

    it('are in the project of their parent, and cannot be moved to a parent in another', async () => {
      const { id: projectId } = await projectOf(harness, manager, [[ben, 'contributor']]);
      const own = await harness.createTask(ben);
      await moveTask(harness, manager, own, projectId);
      const subtask = await links.subtask(ben, own);
      const [row] = await rows('SELECT project_id FROM tasks WHERE id = $1', subtask.id);
      expect(row).to.deep.equal({ project_id: projectId });
      expectProblem(await addSubtask(ann, { parent_id: own.id }), 'unknown_parent');
      expectProblem(await links.place(manager, subtask, parent), 'other_project');
    });

    it('form trees of at most five levels', async () => {
      const tasks = await chain(5);
      expectProblem(await addSubtask(ann, { parent_id: tasks[4]!.id }), 'too_many_links');
      expectProblem(await links.place(ann, tasks[0]!, parent), 'too_many_links');
      expect((await links.place(ann, tasks[1]!, parent)).status).to.equal(200);
    });

    it('are at most 500 that are open; those that have ended do not count', async () => {
      await rows(
        `INSERT INTO tasks (title, description, state, priority, labels, creator_id, created_at, updated_at, parent_id)
         SELECT 'x', '', CASE WHEN n <= 500 THEN 'draft' ELSE 'cancelled' END, 'normal', '{}', $2, now(), now(), $1 FROM generate_series(1, 600) AS n`,
        parent.id,
        ann.id,
      );
      const other = await harness.createTask(ann);
      expectProblem(await addSubtask(ann), 'too_many_links');
      expectProblem(await links.place(ann, other, parent), 'too_many_links');
      await rows(
        "UPDATE tasks SET state = 'cancelled' WHERE id = (SELECT id FROM tasks WHERE parent_id = $1 AND state = 'draft' LIMIT 1)",
        parent.id,
      );
      expect((await addSubtask(ann)).status).to.equal(201);
    });
  });

  describe('when they are moved', () => {
    it('have one version, event and entry for the move and all other changed fields', async () => {
      const task = await harness.createTask(ann);
      const moved = await harness.call('changeTask', {
        ...{ token: ann.token, params: { id: task.id }, headers: { 'if-match': '"1"' } },
        body: { parent_id: parent.id, title: 'Sand the fence' },
      });
      expect(moved.body).to.include({ parent_id: parent.id, title: 'Sand the fence', version: 2 });
      expect((await links.place(ann, task, parent)).body).to.deep.equal(moved.body);
      expect((await links.place(ann, task, null)).body).to.include({ parent_id: null, version: 3 });
      const entries = (await harness.activity(ann, task)).filter(({ field }) => field === 'parent_id');
      expect(entries.map(({ from, to }) => [from, to])).to.deep.equal([
        [null, parent.id],
        [parent.id, null],
      ]);
      await harness.observer.expectAbout(task.id, ['created', 'changed', 'changed', 'changed']);
    });

    it('never end up below themselves, and the problem names the cycle', async () => {
      const [root, middle, leaf] = (await chain(3)) as [Task, Task, Task];
      const problem = expectProblem(await links.place(ann, root, leaf), 'task_cycle');
      expect(idsOf(problem.path)).to.deep.equal([root.id, middle.id, leaf.id]);
      expect(problem.task_count).to.equal(3);
      expect(idsOf(expectProblem(await links.place(ann, root, root), 'task_cycle').path)).to.deep.equal([root.id]);
    });

    it('at the same time below each other form no cycle', async () => {
      for (let round = 0; round < 5; round++) {
        const [a, b] = [await harness.createTask(ann), await harness.createTask(ann)];
        const answers = await Promise.all([links.place(ann, a, b), links.place(ann, b, a)]);
        expect(answers.map(({ status }) => status).toSorted()).to.deep.equal([200, 422]);
      }
    });

    it('need permission on the parent and on themselves, and If-Match', async () => {
      const own = await harness.createTask(ben);
      expectProblem(await links.place(ben, own, parent), 'forbidden');
      expectProblem(await links.place(ann, own, parent), 'forbidden');
      expectProblem(await links.place(ben, own, { id: crypto.randomUUID() }), 'unknown_parent');
      const body = { parent_id: null };
      const stale = { token: ben.token, params: { id: own.id }, headers: { 'if-match': '"7"' }, body };
      expectProblem(await harness.call('changeTask', stale), 'precondition_failed');
    });
  });

  describe('that are open', () => {
    it('keep their parent from being completed, and up to 20 are named', async () => {
      const task = await inProgress();
      const subtasks: Task[] = [];
      for (let count = 0; count < 22; count++) subtasks.push(await links.subtask(manager, task));
      const problem = expectProblem(await links.move(ann, task, 'completed'), 'open_subtasks');
      expect(idsOf(problem.tasks)).to.deep.equal(idsOf(subtasks.slice(0, 20)));
      expect(problem).to.deep.include({ status: 422, task_count: 22 });
      for (const subtask of subtasks.slice(1)) await harness.transition(manager, subtask, 'cancelled');
      expectDone(await links.remove(manager, subtasks[0]!));
      await harness.transition(ann, task, 'completed');
    });

    it('stay open when a manager forces the completion, and the activity log says so', async () => {
      const task = await inProgress();
      const subtask = await links.subtask(manager, task);
      for (const person of [ann, ben])
        expectProblem(await links.move(person, task, 'completed', { force: true }), 'forbidden');
      expectProblem(await links.move(manager, task, 'completed'), 'forbidden');
      const answer = await links.move(manager, task, 'completed', { force: true });
      expect(answer.body).to.include({ state: 'completed', assignee_id: ann.id });
      expect((await harness.activity(ann, task)).at(-1)).to.deep.include({
        ...{ action: 'completed', reason: '1 open sub-task left open' },
        actor: { id: manager.id, name: 'Mona' },
      });
      expect(await harness.read(ann, subtask)).to.include({ state: 'draft' });
    });

    it('have to exist for a manager to complete the task of someone else', async () => {
      expectProblem(await links.move(manager, await inProgress(), 'completed', { force: true }), 'forbidden');
    });

    it('do not appear while their parent is being completed', async () => {
      for (let round = 0; round < 5; round++) {
        const task = await inProgress();
        const [done, added] = await Promise.all([
          links.move(ann, task, 'completed'),
          harness.call('createTask', { token: manager.token, body: { title: 'x', parent_id: task.id } }),
        ]);
        expect([200, 422]).to.include(done.status);
        expect(added.status).to.equal(done.status === 200 ? 422 : 201);
      }
    });
  });

  describe('of a task that is deleted', () => {
    it('are deleted with it, each with its event and entry, under one deletion', async () => {
      const [root, middle, leaf] = (await chain(3)) as [Task, Task, Task];
      const before = await links.subtask(ann, root);
      await harness.assign(manager, leaf, ben);
      expectDone(await links.remove(ann, before));
      expectDone(await links.remove(ann, root));
      for (const task of [root, middle, leaf])
        expectProblem(await harness.call('getTask', { token: ann.token, params: { id: task.id } }), 'not_found');
      await harness.observer.expectAbout(middle.id, ['created', 'changed', 'deleted']);
      await harness.observer.expectAbout(leaf.id, ['created', 'changed', 'assigned', 'unassigned', 'deleted']);
      const stored = await rows(
        'SELECT id, deletion_id FROM tasks WHERE id = ANY ($1) ORDER BY id',
        idsOf([root, middle, leaf, before]),
      );
      expect(stored).to.deep.equal([
        ...[root, middle, leaf].map(({ id }) => ({ id, deletion_id: root.id })),
        { id: before.id, deletion_id: before.id },
      ]);
    });

    it('are deleted with it by a bulk request too, separately or atomically', async () => {
      for (const atomic of [false, true]) {
        const [root, middle, leaf] = (await chain(3)) as [Task, Task, Task];
        const headers = { 'idempotency-key': crypto.randomUUID() };
        const body = { atomic, operations: [{ op: 'delete', id: root.id, if_match: '*' }] };
        const answer = await harness.call('bulkTasks', { token: ann.token, headers, body });
        expect((answer.body as { data: { status: number }[] }).data.map(({ status }) => status)).to.deep.equal([204]);
        const left = await rows(
          'SELECT FROM tasks WHERE id = ANY ($1) AND deleted_at IS NULL',
          idsOf([root, middle, leaf]),
        );
        expect(left).to.have.length(0);
      }
    });

    it('are deleted with their jobs', async () => {
      const job = { queue: 'mails', kind: 'send', run_at: '2100-01-01T00:00:00Z' };
      const subtask = await links.subtask(manager, parent, { kind: 'job', job });
      expectDone(await links.remove(manager, parent));
      expect(await rows('SELECT state FROM jobs WHERE task_id = $1', subtask.id)).to.deep.equal([
        { state: 'cancelled' },
      ]);
    });

    it('are at most 1,000 with their parent', async () => {
      await links.subtask(ann, parent);
      await rows(
        `INSERT INTO tasks (title, description, state, priority, labels, creator_id, created_at, updated_at, parent_id)
         SELECT 'x', '', 'cancelled', 'normal', '{}', $2, now(), now(), $1 FROM generate_series(1, 999)`,
        parent.id,
        ann.id,
      );
      expectProblem(await links.remove(ann, parent), 'subtree_too_large');
      await rows(
        'DELETE FROM tasks WHERE id = (SELECT id FROM tasks WHERE parent_id = $1 ORDER BY id DESC LIMIT 1)',
        parent.id,
      );
      expectDone(await links.remove(ann, parent));
      expect(await rows('SELECT FROM tasks WHERE deletion_id = $1', parent.id)).to.have.length(1_000);
    });

    it('are never left behind by a concurrent deletion', async () => {
      for (let round = 0; round < 5; round++) {
        const root = await harness.createTask(ann);
        const child = await links.subtask(ann, root);
        const [removed, added] = await Promise.all([
          links.remove(ann, root),
          harness.call('createTask', { token: ann.token, body: { title: 'x', parent_id: child.id } }),
        ]);
        expectDone(removed);
        const left = await rows('SELECT FROM tasks WHERE parent_id = $1 AND deleted_at IS NULL', child.id);
        expect(left, `the creation was answered with ${added.status}`).to.have.length(0);
      }
    });
  });
});
