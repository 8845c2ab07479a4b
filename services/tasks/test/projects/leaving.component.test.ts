import { query } from '@taskwire/postgres';
import { waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import { assign as assignTo } from '../../src/domain/assignment.ts';
import { createTaskStore } from '../../src/postgres/task-store.ts';
import type { Task } from '../support/api.ts';
import { moveTask, projectOf, setMember, type Project } from '../support/projects.ts';
import { tasksTeam, type Person, type TasksHarness } from '../support/tasks-harness.ts';

describe('A performer who leaves a project', () => {
  let harness: TasksHarness;
  let manager: Person;
  let ann: Person;
  let ben: Person;
  let project: Project;

  before(async () => ({ harness, manager, ann, ben } = await tasksTeam()));
  beforeEach(async () => {
    project = await projectOf(harness, manager, [
      [ann, 'contributor'],
      [ben, 'contributor'],
    ]);
  });
  after(async () => await harness.stop());

  const remove = async (person: Person) => {
    const params = { id: project.id, user_id: person.id };
    return await harness.call('removeProjectMember', { token: manager.token, params });
  };
  const assigned = async (person: Person, body: object = {}): Promise<Task> =>
    await harness.createTask(manager, { project_id: project.id, assignee_id: person.id, ...body });
  const assigneeOf = async (task: Task) => (await harness.read(manager, task)).assignee_id;
  const reasonsOf = async (task: Task) =>
    (await harness.activity(manager, task)).flatMap(({ action, actor, reason }) =>
      reason === null ? [] : [[action, actor, reason.split(';')[0]]],
    );

  it('loses the open tasks in it to another contributor, as with the role, and keeps all others', async () => {
    const open = [await assigned(ann), await harness.transition(ann, await assigned(ann), 'in_progress')];
    const done = await harness.transition(
      ann,
      await harness.transition(ann, await assigned(ann), 'in_progress'),
      'completed',
    );
    const elsewhere = await harness.createTask(manager, { assignee_id: ann.id });
    expect((await remove(ann)).status).to.equal(204);
    for (const task of open) {
      await waitFor(async () => (await assigneeOf(task)) === ben.id);
      expect((await harness.read(manager, task)).state).to.equal('assigned');
      const because = 'the assignee is no longer a contributor of the project';
      expect(await reasonsOf(task)).to.deep.equal([
        ['unassigned', null, because],
        ['assigned', null, because],
      ]);
    }
    expect([await assigneeOf(done), await assigneeOf(elsewhere)]).to.deep.equal([ann.id, ann.id]);
  });

  it('loses them as a viewer too, and they await a contributor if there is no other', async () => {
    await remove(ben);
    const task = await assigned(ann);
    await setMember(harness, manager, project, ann, 'viewer');
    await waitFor(async () => (await assigneeOf(task)) === null);
    expect(await harness.read(manager, task)).to.include({ state: 'draft' });
    // a task that awaits a contributor of one project holds up no other task
    const [row] = await query<{ needed: boolean }>(
      harness.database.db.pool,
      'SELECT awaiting_performer AS needed FROM tasks WHERE id = $1',
      [task.id],
    );
    expect(row?.needed).to.equal(true);
    expect(await harness.service.reassigner.tick()).to.equal('idle');
    await setMember(harness, manager, project, ben, 'lead');
    await waitFor(async () => (await assigneeOf(task)) === ben.id);
  });

  it('loses a task that is moved to a project of which they are no contributor', async () => {
    const task = await harness.createTask(manager, { assignee_id: ann.id });
    const other = await projectOf(harness, manager, [[ben, 'contributor']]);
    expect(await moveTask(harness, manager, task, other.id)).to.include({ assignee_id: ann.id });
    await waitFor(async () => (await assigneeOf(task)) === ben.id);
  });

  it('waits for an assignment to them that is not committed yet', async () => {
    const task = await harness.createTask(manager, { project_id: project.id });
    const store = createTaskStore(harness.database.db);
    const { removal } = await store.transaction(async (tx) => {
      const locked = await store.lockTask(tx, task.id, null);
      if (locked === undefined) throw new Error('the task is gone');
      expect(await store.lockEligibility(tx, ann.id, project.id)).to.equal('eligible');
      const removing = remove(ann);
      await waitFor(async () => (await waiting()) > 0);
      await store.applyChange(tx, locked, assignTo(locked, ann.id, { reason: null }), manager.id);
      return { removal: removing };
    });
    expect((await removal).status).to.equal(204);
    await waitFor(async () => (await assigneeOf(task)) === ben.id);
  });

  it('is not picked at random when they are leaving', async () => {
    const answer = await harness.database.db.transaction(async (tx) => {
      await query(tx, 'DELETE FROM project_members WHERE user_id = $1', [ann.id]);
      const body = { project_id: project.id, assign: 'random' };
      // Ben has more open tasks
      const asked = harness.createTask(manager, body);
      await waitFor(async () => (await waiting()) > 0);
      return { asked };
    });
    expect(await answer.asked).to.include({ assignee_id: ben.id });
  });

  /** The number of statements that wait for a lock. */
  async function waiting(): Promise<number> {
    const text = `SELECT count(*)::integer AS count FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    return (await query<{ count: number }>(harness.database.db.pool, text))[0]?.count ?? 0;
  }
});
