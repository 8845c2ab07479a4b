import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { codeOf, type Answer, type Task } from './support/api.ts';
import { createProject } from './support/projects.ts';
import { tasksTeam, type Person, type TasksHarness } from './support/tasks-harness.ts';

describe('Restoring a deleted task', () => {
  let harness: TasksHarness;
  let manager: Person;
  let ann: Person;
  let ben: Person;
  before(async () => ({ harness, manager, ann, ben } = await tasksTeam()));
  after(async () => await harness.stop());

  async function remove(actor: Person, { id }: { id: string }): Promise<void> {
    const call = { token: actor.token, params: { id }, headers: { 'if-match': '*' } };
    expect((await harness.call('deleteTask', call)).status).to.equal(204);
  }

  async function restore(actor: Person, { id }: { id: string }, headers: Record<string, string> = {}): Promise<Answer> {
    return await harness.call('restoreTask', { token: actor.token, params: { id }, headers });
  }

  async function deleted(filter: Record<string, string> = {}): Promise<Task[]> {
    const answer = await harness.call('listTasks', { token: ann.token, query: { deleted: 'true', ...filter } });
    return (answer.body as { data: Task[] }).data;
  }

  const isAwaiting = async ({ id }: { id: string }) =>
    (await query(harness.database.db.pool, 'SELECT awaiting_performer FROM tasks WHERE id = $1', [id]))[0];

  it('brings it back with its content and comments, as a new version', async () => {
    const task = await harness.createTask(ann, { labels: ['garden'], due_at: '2040-01-01T00:00:00Z' });
    await harness.call('addComment', { token: ann.token, params: { id: task.id }, body: { body: 'Soon.' } });
    await remove(ann, task);
    const answer = await restore(ann, task);
    expect(answer.status).to.equal(200);
    const { updated_at: _, ...restored } = answer.body as Task;
    const { updated_at: __, ...before } = task;
    expect(restored).to.deep.equal({ ...before, version: 3 });
    expect(await harness.read(ann, task)).to.deep.equal(answer.body);
    const comments = await harness.call('listComments', { token: ann.token, params: { id: task.id } });
    expect((comments.body as { data: unknown[] }).data).to.have.length(1);
    const labelled = await harness.call('listTasks', { token: ann.token, query: { label: 'garden' } });
    expect((labelled.body as { data: Task[] }).data.map(({ id }) => id)).to.deep.equal([task.id]);
    const reminders = 'SELECT FROM task_reminders WHERE task_id = $1 AND settled_at IS NULL';
    expect(await query(harness.database.db.pool, reminders, [task.id])).to.have.length(2);
  });

  it('is possible for the tasks that listTasks shows with deleted=true', async () => {
    const labels = ['hidden'];
    const task = await harness.createTask(ann, { labels, priority: 'high' });
    expect(await deleted({ label: 'hidden' })).to.deep.equal([]);
    await remove(ann, task);
    for (const filter of [{ label: 'hidden' }, { label_all: 'hidden' }, { sort: '-updated_at', limit: '1' }]) {
      const [shown] = await deleted(filter);
      expect(shown).to.include({ id: task.id, version: 2 });
      expect(shown).to.have.property('deleted_at').that.is.a('string');
    }
    await restore(ann, task);
    expect(await deleted({ label: 'hidden' })).to.deep.equal([]);
    expect(await harness.read(ann, task)).not.to.have.property('deleted_at');
  });

  it('assigns it to its former assignee again, who is notified, and it starts over', async () => {
    const task = await harness.createTask(manager, { assignee_id: ann.id });
    await harness.transition(ann, task, 'in_progress');
    await remove(manager, task);
    expect((await restore(manager, task)).body).to.include({ state: 'assigned', assignee_id: ann.id });
    const types = ['created', 'changed', 'assigned', 'started', 'unassigned', 'deleted', 'restored', 'assigned'];
    const seen = await harness.observer.expectAbout(task.id, types);
    expect(seen.at(-1)?.payload).to.include({ assigned_to: ann.id, actor: manager.id });
    const entries = (await harness.activity(ann, task)).slice(-2);
    expect(entries.map(({ action, reason }) => [action, reason])).to.deep.equal([
      ['restored', null],
      ['assigned', 'the task was restored'],
    ]);
  });

  it('leaves a completed or cancelled task as it was', async () => {
    const task = await harness.createTask(manager, { assignee_id: ann.id });
    await harness.transition(manager, task, 'cancelled');
    await remove(manager, task);
    expect((await restore(manager, task)).body).to.include({ state: 'cancelled', assignee_id: ann.id });
  });

  it('makes it a draft that awaits a performer if its former assignee is no longer one', async () => {
    const eve = await harness.join('Eve', 'member');
    const task = await harness.createTask(manager, { assignee_id: eve.id });
    await remove(manager, task);
    await harness.become(eve, 'manager');
    expect((await restore(manager, task)).body).to.include({ state: 'draft', assignee_id: null });
    expect(await isAwaiting(task)).to.deep.equal({ awaiting_performer: true });
    const entry = (await harness.activity(manager, task)).at(-1);
    expect(entry).to.include({ action: 'restored', field: 'awaiting_performer', to: true });
    expect(entry?.reason).to.equal('the former assignee cannot be assigned tasks any more');
    await harness.service.reassigner.tick();
    expect((await harness.read(manager, task)).assignee_id).to.be.oneOf([ann.id, ben.id]);
  });

  it('leaves a draft awaiting a performer if it was', async () => {
    const { pool } = harness.database.db;
    const task = await harness.createTask(ann);
    await query(pool, 'UPDATE tasks SET awaiting_performer = true, deleted_at = now() WHERE id = $1', [task.id]);
    await restore(ann, task);
    await harness.service.reassigner.tick();
    expect(await harness.read(ann, task)).to.have.property('state', 'assigned');
  });

  it('cancels the task of a job, because its job was cancelled', async () => {
    const task = await harness.createTask(manager, {
      kind: 'job',
      job: { queue: 'restored', kind: 'test', run_at: '2100-01-01T00:00:00Z' },
    });
    await remove(manager, task);
    expect((await restore(manager, task)).body).to.have.property('state', 'cancelled');
    await harness.observer.expectAbout(task.id, ['created', 'changed', 'deleted', 'restored', 'cancelled']);
  });

  it('happens once, however often it is requested, and changes nothing for a task that is not deleted', async () => {
    const task = await harness.createTask(manager, { assignee_id: ann.id });
    await remove(manager, task);
    const answers = await Promise.all([1, 2, 3].map(async () => await restore(manager, task)));
    expect(answers.map(({ status, body }) => [status, (body as Task).version])).to.deep.equal(
      Array.from({ length: 3 }, () => [200, 3]),
    );
  });

  it('is open to the creator, managers and admins, and honours If-Match', async () => {
    const task = await harness.createTask(ann);
    await remove(ann, task);
    expect(codeOf(await restore(ben, task))).to.equal('forbidden');
    expect(codeOf(await restore(ann, task, { 'if-match': '"1"' }))).to.equal('precondition_failed');
    expect((await restore(manager, task, { 'if-match': '"2"' })).status).to.equal(200);
    expect(codeOf(await restore(ann, { id: crypto.randomUUID() }))).to.equal('not_found');
  });

  it('restores what was deleted by a request that committed while the restoration waited for it', async () => {
    const task = await harness.createTask(manager, { assignee_id: ann.id });
    await Promise.all([remove(manager, task), ...[1, 2, 3].map(async () => await restore(manager, task))]);
    await restore(manager, task);
    expect(await harness.read(manager, task)).to.include({ state: 'assigned', assignee_id: ann.id });
  });

  describe('with sub-tasks', () => {
    /** A task with a sub-task of Ann, which has another one. */
    async function tree(): Promise<[Task, Task, Task]> {
      const root = await harness.createTask(manager);
      const middle = await harness.createTask(manager, { parent_id: root.id, assignee_id: ann.id });
      return [root, middle, await harness.createTask(manager, { parent_id: middle.id })];
    }
    /** Adds open sub-tasks until there are 500. */
    async function fill({ id }: Task): Promise<{ id: string }[]> {
      const text = `
        INSERT INTO tasks (title, description, state, priority, labels, creator_id, created_at, updated_at, parent_id)
        SELECT 'x', '', 'draft', 'normal', '{}', $2, now(), now(), $1
        FROM generate_series(1, 500 - (SELECT count(*) FROM tasks WHERE parent_id = $1 AND deleted_at IS NULL AND state = 'draft'))
        RETURNING id`;
      return await query<{ id: string }>(harness.database.db.pool, text, [id, ann.id]);
    }
    const isThere = async ({ id }: Task) =>
      (await harness.call('getTask', { token: manager.token, params: { id } })).status === 200;

    it('brings back exactly what was deleted together, whichever of these tasks is named', async () => {
      for (const named of [0, 1, 2] as const) {
        const [root, middle, leaf] = await tree();
        const other = await harness.createTask(manager, { parent_id: root.id });
        await remove(manager, other);
        await remove(manager, root);
        expect(await isThere(leaf)).to.equal(false);
        const answer = await restore(manager, [root, middle, leaf][named] as Task);
        expect(answer.body).to.include({ id: [root, middle, leaf][named]?.id, version: 3 });
        expect(await Promise.all([root, middle, leaf, other].map(isThere))).to.deep.equal([true, true, true, false]);
        expect(await harness.read(ann, middle)).to.include({ state: 'assigned', assignee_id: ann.id });
        await harness.observer.expectAbout(leaf.id, ['created', 'changed', 'deleted', 'restored']);
        // a task that was deleted earlier belongs to its own deletion
        expect((await restore(manager, other)).status).to.equal(200);
      }
    });

    it('is refused below a task that another deletion took', async () => {
      const [root, middle] = await tree();
      await remove(manager, middle);
      await remove(manager, root);
      expect(codeOf(await restore(manager, middle))).to.equal('illegal_transition');
      await restore(manager, root);
      expect(await isThere(middle)).to.equal(false);
      expect((await restore(manager, middle)).status).to.equal(200);
    });

    it('leaves a task in its project when the one above it was moved to another, where others would read it', async () => {
      const [garden, kitchen] = [await createProject(harness, manager), await createProject(harness, manager)];
      const root = await harness.createTask(manager, { project_id: garden.id });
      const below = await harness.createTask(manager, { parent_id: root.id });
      const leaf = await harness.createTask(manager, { parent_id: below.id });
      await remove(manager, below);
      const call = { token: manager.token, params: { id: root.id }, headers: { 'if-match': '*' } };
      expect((await harness.call('changeTask', { ...call, body: { project_id: kitchen.id } })).status).to.equal(200);
      expect((await restore(manager, leaf)).body).to.include({ project_id: garden.id, parent_id: below.id });
      expect(await harness.read(manager, below)).to.include({ project_id: garden.id, parent_id: null });
      const types = ['created', 'changed', 'deleted', 'restored', 'changed'];
      await harness.observer.expectAbout(below.id, types);
      const [, left] = (await harness.activity(manager, below)).slice(-2);
      expect(left).to.include({ field: 'parent_id', from: root.id, to: null });
    });

    it('restores an open task without its parent if that has ended in the meantime, with the tasks below it', async () => {
      for (const end of ['completed', 'cancelled'] as const) {
        const root = await harness.createTask(manager, { assignee_id: ben.id });
        const below = await harness.createTask(manager, { parent_id: root.id, assignee_id: ann.id });
        const leaf = await harness.createTask(manager, { parent_id: below.id });
        await harness.transition(ben, root, 'in_progress');
        await remove(manager, below);
        await harness.transition(end === 'completed' ? ben : manager, root, end);
        expect((await restore(manager, leaf)).body).to.include({ parent_id: below.id });
        expect(await harness.read(ann, below)).to.include({ state: 'assigned', parent_id: null });
        const left = (await harness.activity(manager, below)).find(({ field }) => field === 'parent_id');
        expect(left).to.include({ from: root.id, to: null, reason: 'the task above it has ended' });
      }
    });

    it('restores a task that has ended, or is cancelled with its job, below a parent that has ended or has no room', async () => {
      const [root] = await tree();
      const done = await harness.createTask(manager, { parent_id: root.id });
      await harness.transition(manager, done, 'cancelled');
      const job = { queue: 'restored', kind: 'test', run_at: '2100-01-01T00:00:00Z' };
      const ofJob = await harness.createTask(manager, { parent_id: root.id, kind: 'job', job });
      for (const task of [done, ofJob]) await remove(manager, task);
      await fill(root);
      expect((await restore(manager, done)).body).to.include({ state: 'cancelled', parent_id: root.id });
      await harness.transition(manager, root, 'cancelled');
      expect((await restore(manager, ofJob)).body).to.include({ state: 'cancelled', parent_id: root.id });
    });

    it('is refused below a parent that has 500 open sub-tasks, until one of them has ended', async () => {
      const [root, middle] = await tree();
      await remove(manager, middle);
      const others = await fill(root);
      const key = { 'idempotency-key': crypto.randomUUID() };
      expect(codeOf(await restore(manager, middle, key))).to.equal('too_many_links');
      expect(await isThere(middle)).to.equal(false);
      await harness.transition(manager, others[0] as Task, 'cancelled');
      expect((await restore(manager, middle, key)).body).to.include({ parent_id: root.id });
      // the parent is full again, but there is nothing to restore
      expect((await restore(manager, middle)).status).to.equal(200);
    });

    it('never leaves an open task below a parent that is completed at the same moment', async () => {
      for (let round = 0; round < 5; round++) {
        const root = await harness.createTask(manager, { assignee_id: ben.id });
        const below = await harness.createTask(manager, { parent_id: root.id });
        await harness.transition(ben, root, 'in_progress');
        await remove(manager, below);
        const call = { token: ben.token, params: { id: root.id }, body: { state: 'completed' } };
        const [completed, restored] = await Promise.all([
          harness.call('transitionTask', call),
          restore(manager, below),
        ]);
        expect(restored.status).to.equal(200);
        const parent_id = completed.status === 200 ? null : root.id;
        expect(restored.body, `the completion was answered with ${completed.status}`).to.include({ parent_id });
      }
    });

    it('needs permission for the task whose deletion it was', async () => {
      const root = await harness.createTask(ann);
      const below = await harness.createTask(ann, { parent_id: root.id });
      await query(harness.database.db.pool, 'UPDATE tasks SET creator_id = $1 WHERE id = $2', [ben.id, below.id]);
      await remove(ann, root);
      expect(codeOf(await restore(ben, below))).to.equal('forbidden');
      expect((await restore(ann, root)).status).to.equal(200);
      expect(await isThere(below)).to.equal(true);
    });
  });

  it('refuses a text search among deleted tasks', async () => {
    const answer = await harness.call('listTasks', { token: ann.token, query: { deleted: 'true', q: 'fence' } });
    expect(answer.body).to.have.nested.property('errors[0].field', 'deleted');
  });
});
