import { query } from '@taskwire/postgres';
import { waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import { codeOf, type Activity, type Task } from './support/api.ts';
import { createProject, moveTask, projectOf } from './support/projects.ts';
import { tasksTeam, type Person, type TasksHarness } from './support/tasks-harness.ts';

type Explanation = {
  assignee: { id: string } | null;
  actor: { id: string } | null;
  assigned_at: string | null;
  reason: string | null;
  why: string | null;
  performers: number | null;
  candidates: { id: string; name: string; open_tasks: number }[] | null;
};

describe('The activity of tasks', () => {
  let harness: TasksHarness;
  let manager: Person;
  let ann: Person;
  let ben: Person;

  before(async () => ({ harness, manager, ann, ben } = await tasksTeam()));
  after(async () => await harness.stop());

  const at = ({ id }: { id: string }, { token } = manager) => ({ token, params: { id } });
  const assign = async (task: Task, body: object) => await harness.call('assignTask', { ...at(task), body });
  const why = async (task: Task) => (await harness.call('whyAssigned', at(task))).body as Explanation;

  async function list(filter: Record<string, string> = {}) {
    const answer = await harness.call('listAllActivity', { token: ann.token, query: filter });
    expect(answer.status).to.equal(200);
    return answer.body as { data: Activity[]; next_cursor: string | null };
  }

  it('is listed for all tasks, newest first, without that of deleted tasks', async () => {
    const [one, two, deleted] = [
      await harness.createTask(ann),
      await harness.createTask(ben),
      await harness.createTask(ann),
    ];
    await harness.transition(manager, one, 'cancelled');
    await harness.call('deleteTask', { ...at(deleted), headers: { 'if-match': '*' } });
    const seen: Activity[] = [];
    let cursor: string | undefined;
    do {
      const page = await list({ limit: '1', ...(cursor === undefined ? {} : { cursor }) });
      expect(page.data).to.have.length(1);
      seen.push(...page.data);
      cursor = page.next_cursor ?? undefined;
    } while (seen.length < 3);
    expect(seen.map((entry) => [entry.task_id, entry.action])).to.deep.equal([
      [one.id, 'cancelled'],
      [two.id, 'created'],
      [one.id, 'created'],
    ]);
  });

  it('shows the reason that a user gave as why, beside the explanation of the service', async () => {
    const task = await harness.createTask(manager, { assignee_id: ann.id });
    expect((await assign(task, { assignee_id: ben.id, reason: 'Ann is on holiday.' })).status).to.equal(200);
    const body = { state: 'cancelled', reason: 'We have no paint.' };
    expect((await harness.call('transitionTask', { ...at(task), body })).status).to.equal(200);
    expect(
      (await harness.activity(ann, task)).map(({ action, reason, why: given }) => [action, reason, given]),
    ).to.deep.equal([
      ['created', null, null],
      ['assigned', null, null],
      ['unassigned', null, 'Ann is on holiday.'],
      ['assigned', null, 'Ann is on holiday.'],
      ['cancelled', null, 'We have no paint.'],
    ]);
    const empty = await harness.call('transitionTask', { ...at(task), body: { state: 'cancelled', reason: ' ' } });
    expect([empty.status, codeOf(empty)]).to.deep.equal([422, 'invalid_input']);
  });

  it('explains a random assignment by the candidates and the open tasks that they had at that moment', async () => {
    const open = await harness.createTask(manager, { assignee_id: ann.id });
    const task = await harness.createTask(manager, { assign: 'random' });
    expect(task.assignee_id).to.equal(ben.id);
    await harness.createTask(manager, { assignee_id: ben.id });
    await harness.transition(manager, open, 'cancelled');
    const { assignee, actor, assigned_at, ...explanation } = await why(task);
    expect([assignee?.id, actor?.id, assigned_at]).to.deep.equal([ben.id, manager.id, task.updated_at]);
    expect(explanation).to.deep.equal({
      task_id: task.id,
      reason: 'fewest open tasks (1 of 2 performers had 0)',
      why: null,
      performers: 2,
      candidates: [
        { id: ben.id, name: 'Ben', open_tasks: 0 },
        { id: ann.id, name: 'Ann', open_tasks: 1 },
      ],
    });
  });

  it('explains the assignment by a user by their reason, and a task without an assignee by nothing', async () => {
    const task = await harness.createTask(manager);
    const nothing = { reason: null, why: null, performers: null, candidates: null };
    expect(await why(task)).to.deep.equal({
      task_id: task.id,
      assignee: null,
      actor: null,
      assigned_at: null,
      ...nothing,
    });
    await assign(task, { assignee_id: ann.id, reason: 'She knows the garden.' });
    expect(await why(task)).to.deep.include({ ...nothing, why: 'She knows the garden.' });
    expect(await why(task)).to.have.nested.property('assignee.name', 'Ann');
    const unknown = await harness.call('whyAssigned', at({ id: manager.id }));
    expect(unknown.status).to.equal(404);
  });

  it('keeps at most 30 candidates of a choice, those with the fewest open tasks, and the number of all', async () => {
    const { id } = await createProject(harness, manager);
    const crowd = Array.from({ length: 32 }, () => crypto.randomUUID());
    const { pool } = harness.database.db;
    await query(
      pool,
      `INSERT INTO directory_users (id, role, version, email_verified) SELECT id, 'member', 1, true FROM unnest($1::uuid[]) AS id`,
      [crowd],
    );
    await query(
      pool,
      `INSERT INTO project_members (project_id, user_id, role) SELECT $1, id, 'contributor' FROM unnest($2::uuid[]) AS id`,
      [id, crowd],
    );
    for (const busy of crowd.slice(0, 2)) await harness.createTask(manager, { project_id: id, assignee_id: busy });
    const { candidates, performers } = await why(
      await harness.createTask(manager, { project_id: id, assign: 'random' }),
    );
    expect(performers).to.equal(32);
    expect(candidates?.map(({ id: one }) => one)).to.have.members(crowd.slice(2));
  });

  it('explains the assignment by a shuffle, which does not choose by open tasks', async () => {
    const tasks = [];
    for (let n = 0; n < 10; n++) tasks.push(await harness.createTask(manager, { assignee_id: ann.id }));
    expect((await harness.call('shuffleTasks', { token: manager.token })).status).to.be.below(300);
    const explained = await Promise.all(tasks.map(async (task) => await why(task)));
    const moved = explained.find(({ assignee }) => assignee?.id !== ann.id);
    expect(moved).to.deep.include({ why: null, performers: null, candidates: null });
    expect(moved?.actor?.id).to.equal(manager.id);
    expect(moved?.reason).to.match(/^all open tasks were redistributed among \d+ performers$/);
  });

  describe('from the time in a project', () => {
    let eve: Person;
    let task: Task;

    before(async () => {
      eve = await harness.join('Eve', 'member');
      const { id } = await projectOf(harness, manager, [[ann, 'contributor']]);
      task = await harness.createTask(manager, { title: 'Zanzibar', project_id: id, assign: 'random' });
      await moveTask(harness, manager, task, null);
    });

    const actions = (entries: readonly Activity[]) =>
      entries.filter(({ task_id }) => task_id === task.id).map(({ action, field }) => [action, field]);

    it('is shown after the task has left the project only to those who may read the project', async () => {
      const before = [
        ['created', null],
        ['assigned', 'assignee_id'],
      ];
      const moved = ['changed', 'project_id'];
      for (const [person, expected] of [
        [eve, [moved]],
        [ben, [moved]],
        [ann, [...before, moved]],
        [manager, [...before, moved]],
      ] as const) {
        expect(actions(await harness.activity(person, task)), person.name).to.deep.equal(expected);
        const { body } = await harness.call('listAllActivity', { token: person.token, query: { limit: '100' } });
        expect(actions((body as { data: Activity[] }).data).toReversed(), person.name).to.deep.equal(expected);
      }
    });

    it('explains the assignee only to those who may read the project of the choice', async () => {
      const read = async (person: Person) => (await harness.call('whyAssigned', at(task, person))).body as Explanation;
      expect((await read(ann)).candidates?.map(({ id }) => id)).to.deep.equal([ann.id]);
      expect(await read(eve)).to.deep.equal({
        ...{ task_id: task.id, assignee: { id: ann.id, name: 'Ann' }, assigned_at: null, actor: null },
        ...{ reason: null, why: null, performers: null, candidates: null },
      });
      await assign(task, { assignee_id: ben.id, reason: 'Ann is on holiday.' });
      expect(await read(eve)).to.include({ why: 'Ann is on holiday.' });
    });
  });

  it('keeps the candidates of a reassignment by the service, and shows a task that awaits a performer', async () => {
    const { harness: alone, manager: lead, ann: one, ben: two } = await tasksTeam();
    try {
      const task = await alone.createTask(lead, { assignee_id: one.id });
      expect(task.awaiting_performer).to.equal(false);
      await alone.become(one, 'deleted');
      await waitFor(async () => (await alone.read(lead, task)).assignee_id === two.id);
      const explained = (await alone.call('whyAssigned', { token: lead.token, params: { id: task.id } })).body;
      expect(explained).to.deep.include({ actor: null, performers: 1 });
      expect(explained)
        .to.have.nested.property('reason')
        .that.matches(/^the assignee was deleted; the only performer$/);
      await alone.become(two, 'manager');
      await waitFor(async () => (await alone.read(lead, task)).state === 'draft');
      expect(await alone.read(lead, task)).to.include({ awaiting_performer: true, assignee_id: null });
    } finally {
      await alone.stop();
    }
  });
});
