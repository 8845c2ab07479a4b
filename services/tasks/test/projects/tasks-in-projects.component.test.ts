import { query } from '@taskwire/postgres';
import { expect } from 'chai';
import { codeOf, type Answer, type Task } from '../support/api.ts';
import { createProject, projectOf, setMember, type Project } from '../support/projects.ts';
import { tasksTeam, type Person, type TasksHarness } from '../support/tasks-harness.ts';

type Operation = Parameters<TasksHarness['call']>[0];

describe('Tasks in a project', () => {
  let harness: TasksHarness;
  let manager: Person;
  let lead: Person;
  let ann: Person;
  let viewer: Person;
  let ben: Person;
  let project: Project;
  let other: Project;
  let task: Task;

  before(async () => {
    ({ harness, manager, ann, ben } = await tasksTeam());
    lead = await harness.join('Lea', 'member');
    viewer = await harness.join('Vic', 'member');
  });
  beforeEach(async () => {
    project = await projectOf(harness, lead, [
      [ann, 'contributor'],
      [viewer, 'viewer'],
    ]);
    other = await projectOf(harness, manager, [[ann, 'contributor']]);
    task = await harness.createTask(ann, { project_id: project.id });
  });
  after(async () => await harness.stop());

  const call = async (operation: Operation, { token }: Person, body?: unknown, id = task.id): Promise<Answer> =>
    await harness.call(operation, {
      ...{ token, params: { id }, headers: { 'if-match': '*' } },
      ...(body === undefined ? {} : { body }),
    });
  const create = async ({ token }: Person, body: object): Promise<Answer> =>
    await harness.call('createTask', { token, body: { title: 'Dig', ...body } });
  const archive = async ({ token }: Person, archived: boolean) =>
    await harness.call('changeProject', {
      ...{ token, params: { id: project.id }, body: { archived }, headers: { 'if-match': '*' } },
    });

  it('are created by contributors, leads, managers and admins', async () => {
    for (const actor of [ann, lead, manager])
      expect((await create(actor, { project_id: project.id })).body).to.include({ project_id: project.id });
    expect(codeOf(await create(viewer, { project_id: project.id }))).to.equal('forbidden');
    for (const project_id of [project.id, crypto.randomUUID()]) {
      const { body } = await create(ben, { project_id });
      expect(body).to.deep.include({ code: 'unknown_project' });
      expect((body as { errors: object[] }).errors).to.deep.equal([
        {
          field: 'project_id',
          code: 'unknown_project',
          message: `is ${project_id}, which is not the id of a project that you can read`,
        },
      ]);
    }
  });

  it('are read by every member, and written by contributors, also those that others created', async () => {
    expect((await call('getTask', viewer)).body).to.deep.equal(task);
    const writes: [Operation, unknown][] = [
      ['changeTask', { title: 'Dig' }],
      ['transitionTask', { state: 'cancelled' }],
      ['deleteTask', undefined],
      ['addComment', { body: 'Done.' }],
    ];
    for (const [operation, body] of writes) {
      const id = (await harness.createTask(manager, { project_id: project.id })).id;
      expect(codeOf(await call(operation, viewer, body, id)), operation).to.equal('forbidden');
      expect((await call(operation, ann, body, id)).status, operation).to.be.below(300);
    }
    await setMember(harness, lead, project, ann, 'viewer');
    expect(codeOf(await call('changeTask', ann, { title: 'Mine' }))).to.equal('forbidden');
  });

  it('are neither started nor completed by an assignee who has become a viewer', async () => {
    const assigned = await harness.createTask(lead, { project_id: project.id, assignee_id: ann.id });
    const started = await harness.createTask(lead, { project_id: project.id, assignee_id: ann.id });
    await harness.transition(ann, started, 'in_progress');
    // not through the API, which would reassign the tasks at once
    const demote = "UPDATE project_members SET role = 'viewer' WHERE project_id = $1 AND user_id = $2";
    await query(harness.database.db.pool, demote, [project.id, ann.id]);
    expect(codeOf(await call('transitionTask', ann, { state: 'in_progress' }, assigned.id))).to.equal('forbidden');
    expect(codeOf(await call('transitionTask', ann, { state: 'completed' }, started.id))).to.equal('forbidden');
  });

  it('are assigned by leads, managers and admins, to contributors and leads only', async () => {
    expect(codeOf(await call('assignTask', ann, { assignee_id: ann.id }))).to.equal('forbidden');
    for (const actor of [lead, manager]) {
      expect((await call('assignTask', actor, { assignee_id: ann.id })).body).to.include({ assignee_id: ann.id });
      for (const outsider of [ben, viewer]) {
        const refused = await call('assignTask', actor, { assignee_id: outsider.id });
        expect(codeOf(refused)).to.equal('ineligible_assignee');
      }
    }
    expect(codeOf(await call('assignTask', lead, { assignee_id: crypto.randomUUID() }))).to.equal('unknown_assignee');
    const created = await create(lead, { project_id: project.id, assignee_id: ann.id });
    expect(created.body).to.include({ state: 'assigned', assignee_id: ann.id });
    expect(codeOf(await create(lead, { project_id: project.id, assignee_id: ben.id }))).to.equal('ineligible_assignee');
    expect(codeOf(await create(ann, { project_id: project.id, assignee_id: ann.id }))).to.equal('forbidden');
  });

  it('are assigned at random, and shuffled, among contributors and leads only', async () => {
    const chosen = [];
    for (let count = 0; count < 8; count++) {
      const { body } = await create(lead, { project_id: project.id, assign: 'random' });
      chosen.push((body as Task).assignee?.name);
    }
    expect([...new Set(chosen)].toSorted()).to.deep.equal(['Ann', 'Lea']);
    const empty = await createProject(harness, manager);
    expect(codeOf(await create(manager, { project_id: empty.id, assign: 'random' }))).to.equal('no_performers');
    const shuffled = await harness.call('shuffleTasks', { token: manager.token });
    expect(shuffled.body).to.have.property('open').above(3);
    const { body } = await harness.call('listTasks', { token: manager.token, query: { state: 'assigned' } });
    const open = (body as { data: Task[] }).data.filter(({ project_id }) => project_id === project.id);
    expect([...new Set(open.map(({ assignee }) => assignee?.name))].toSorted()).to.deep.equal(['Ann', 'Lea']);
  });

  it('are moved by those who may write on both sides, out of a project only by its leads, managers and admins', async () => {
    const move = async (actor: Person, project_id: string | null) => await call('changeTask', actor, { project_id });
    // a contributor of both projects may not show the task to the members of the other one
    expect(codeOf(await move(ann, other.id))).to.equal('forbidden');
    expect(codeOf(await move(lead, other.id))).to.equal('unknown_project');
    await setMember(harness, manager, other, lead, 'viewer');
    expect(codeOf(await move(lead, other.id))).to.equal('forbidden');
    await setMember(harness, manager, other, lead, 'contributor');
    expect((await move(lead, other.id)).body).to.include({ project_id: other.id, version: 2 });
    expect(codeOf(await call('getTask', viewer))).to.equal('not_found');
    expect((await move(manager, null)).body).to.include({ project_id: null, version: 3 });
    expect((await call('getTask', ben)).status).to.equal(200);
    // the creator may move their own task into a project of theirs
    expect((await move(ann, project.id)).body).to.include({ project_id: project.id, version: 4 });
    const moves = (await harness.activity(lead, task)).filter(({ field }) => field === 'project_id');
    expect(moves.map(({ action, from, to }) => [action, from, to])).to.deep.equal([
      ['changed', project.id, other.id],
      ['changed', other.id, null],
      ['changed', null, project.id],
    ]);
    const events = await harness.observer.expectAbout(task.id, ['created', ...Array(4).fill('changed')]);
    const projects = events.map(({ payload }) => payload['project_id']);
    expect(projects).to.deep.equal([project.id, project.id, other.id, null, project.id]);
  });

  it('cannot be written while the project is archived, not even moved out of it', async () => {
    await archive(lead, true);
    const writes: [Operation, unknown][] = [
      ['changeTask', { title: 'Dig' }],
      ['changeTask', { project_id: null }],
      ['assignTask', { assign: 'random' }],
      ['transitionTask', { state: 'cancelled' }],
      ['deleteTask', undefined],
      ['addComment', { body: 'Done.' }],
    ];
    for (const [operation, body] of writes)
      expect(codeOf(await call(operation, manager, body)), operation).to.equal('project_archived');
    expect(codeOf(await create(ann, { project_id: project.id }))).to.equal('project_archived');
    const elsewhere = await harness.createTask(manager, { project_id: other.id });
    const into = await call('changeTask', manager, { project_id: project.id }, elsewhere.id);
    expect(codeOf(into)).to.equal('project_archived');
    expect((await call('getTask', viewer)).body).to.deep.equal(task);
    await archive(lead, false);
    expect((await call('changeTask', ann, { title: 'Dig' })).status).to.equal(200);
  });

  it('of kind job are created in a project by its managers', async () => {
    const job = { queue: 'reports', kind: 'test', run_at: '2100-01-01T00:00:00Z' };
    const created = await create(manager, { kind: 'job', job, project_id: project.id });
    expect(created.body).to.include({ kind: 'job', project_id: project.id });
    expect(codeOf(await call('getTask', ben, undefined, (created.body as Task).id))).to.equal('not_found');
  });

  it('are not shown by the repeated response to a request after the caller has lost access', async () => {
    const { token } = ann;
    const key = () => ({ token, headers: { 'idempotency-key': crypto.randomUUID() } });
    const requests: [Operation, Parameters<TasksHarness['call']>[1]][] = [
      ['createTask', { ...key(), body: { title: 'Dig', project_id: project.id } }],
      ['addComment', { ...key(), params: { id: task.id }, body: { body: 'Done.' } }],
      ['transitionTask', { ...key(), params: { id: task.id }, body: { state: 'cancelled' } }],
    ];
    for (const [operation, request] of requests)
      expect((await harness.call(operation, request)).status, operation).to.be.below(300);
    for (const [operation, request] of requests) {
      const repeated = await harness.call(operation, request);
      expect(repeated.headers.get('idempotency-replayed'), operation).to.equal('true');
    }
    const params = { id: project.id, user_id: ann.id };
    expect((await harness.call('removeProjectMember', { token, params })).status).to.equal(204);
    for (const [operation, request] of requests)
      expect(codeOf(await harness.call(operation, request)), operation).to.equal('not_found');
  });
});
