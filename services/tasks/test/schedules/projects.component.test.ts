import { query } from '@taskwire/postgres';
import { expect } from 'chai';
import { codeOf, type Answer } from '../support/api.ts';
import { createProject, projectOf, setMember } from '../support/projects.ts';
import { scheduleTools, type Occurrence, type Schedule } from '../support/schedules.ts';
import { tasksHarness, type Person, type TasksHarness } from '../support/tasks-harness.ts';

type Problem = { code: string; errors?: { field: string }[] };

describe('A schedule of tasks in a project', () => {
  let harness: TasksHarness;
  let tools: ReturnType<typeof scheduleTools>;
  let manager: Person;
  let lead: Person;
  let ann: Person;
  let ben: Person;
  let projectId: string;

  before(async () => {
    harness = await tasksHarness({ PROCESS_ROLE: 'api' });
    tools = scheduleTools(harness);
    manager = await harness.join('Mona', 'manager');
    lead = await harness.join('Lea', 'member');
    ann = await harness.join('Ann', 'member');
    ben = await harness.join('Ben', 'member');
  });
  after(async () => await harness.stop());
  beforeEach(async () => {
    projectId = (await projectOf(harness, lead, [[ann, 'contributor']])).id;
  });

  const sql = async (text: string, values: unknown[]) => await query(harness.database.db.pool, text, values);
  const target = (more: object = {}) => ({ kind: 'task', title: 'Water the plants', project_id: projectId, ...more });
  const rule = { kind: 'cron', expression: '0 9 * * *' };
  const create = async ({ token }: Person, more: object = {}): Promise<Answer> =>
    await harness.call('createSchedule', { token, body: { ...rule, target: target(more) } });
  const archive = async (archived: boolean) =>
    await tools.ask('changeProject', {
      ...{ token: lead.token, params: { id: projectId }, body: { archived }, headers: { 'if-match': '*' } },
    });
  const leave = async (person: Person) =>
    await tools.ask('removeProjectMember', { token: lead.token, params: { id: projectId, user_id: person.id } });

  it('is created by those who may create and assign such tasks there', async () => {
    const viewer = await harness.join('Vic', 'member');
    await setMember(harness, lead, { id: projectId }, viewer, 'viewer');
    const expected: [Person, object, number, string?][] = [
      [ben, {}, 422, 'unknown_project'],
      [ben, { project_id: crypto.randomUUID() }, 422, 'unknown_project'],
      [viewer, {}, 403, 'forbidden'],
      [ann, { assign: 'random' }, 403, 'forbidden'],
      [lead, { assignee_id: ben.id }, 422, 'ineligible_assignee'],
      [lead, { assignee_id: crypto.randomUUID() }, 422, 'unknown_assignee'],
      [ann, {}, 201],
      [lead, { assign: 'random' }, 201],
      [lead, { assignee_id: ann.id }, 201],
      [manager, { assignee_id: ann.id }, 201],
    ];
    for (const [person, more, status, code] of expected) {
      const answer = await create(person, more);
      expect(answer.status, JSON.stringify([person.name, more, answer.body])).to.equal(status);
      if (code === undefined) expect((answer.body as Schedule).target).to.include({ project_id: projectId });
      else expect(codeOf(answer)).to.equal(code);
    }
    const unknown = (await create(ben)).body as Problem;
    expect(unknown.errors?.map(({ field }) => field)).to.deep.equal(['target.project_id']);
    await archive(true);
    expect(codeOf(await create(ann))).to.equal('project_archived');
  });

  it('is moved into a project by the same rule', async () => {
    const { id } = (await create(ben, { project_id: null })).body as Schedule;
    const change = async () =>
      await harness.call('changeSchedule', {
        ...{ token: ben.token, params: { id }, headers: { 'if-match': '*' }, body: { target: target() } },
      });
    expect(codeOf(await change())).to.equal('unknown_project');
    await setMember(harness, lead, { id: projectId }, ben, 'contributor');
    expect((await change()).body).to.have.nested.property('target.project_id', projectId);
  });

  it('creates its tasks in the project, for its contributors only', async () => {
    const random = { target: target({ assign: 'random' }), overlap: 'allow', catch_up: 'all' };
    const schedule = await tools.everyMinute(lead, -5, random);
    await tools.run();
    const tasks = await tools.tasks(schedule);
    expect(tasks).to.have.length.of.at.least(6);
    const assignees = new Set(tasks.map(({ assignee_id: assignee }) => assignee));
    expect([...assignees]).to.have.members([lead.id, ann.id]);
    const at = { params: { id: tasks[0]?.id ?? '' } };
    expect((await harness.call('getTask', { token: ann.token, ...at })).body).to.include({ project_id: projectId });
    expect((await harness.call('getTask', { token: ben.token, ...at })).status).to.equal(404);
    const events = await sql("SELECT FROM outbox WHERE aggregate_id = $1 AND payload ->> 'project_id' = $2", [
      ...[tasks[0]?.id, projectId],
    ]);
    expect(events).to.have.length(3);
  });

  it('leaves a task without a performer to the next contributor when the named one has left', async () => {
    const schedule = await tools.everyMinute(lead, 0, { target: target({ assignee_id: ann.id }) });
    await leave(ann);
    await tools.run();
    const [task] = await tools.tasks(schedule);
    expect(task).to.include({ state: 'draft', assignee_id: null });
    expect(await harness.read(lead, { id: task?.id ?? '' })).to.include({
      project_id: projectId,
      awaiting_performer: true,
    });
  });

  it('fails when its creator is no longer a contributor, and pauses after its maximum number of failures', async () => {
    const body = { target: target(), overlap: 'allow', catch_up: 'all', pause_after_failures: 2 };
    const schedule = await tools.everyMinute(ann, -3, body);
    await leave(ann);
    await tools.run();
    expect((await tools.states(schedule)).slice(0, 3)).to.deep.equal(['not_permitted', 'not_permitted', 'paused']);
    expect(await tools.read(ann, schedule)).to.include({ paused: true, pause_reason: 'failures' });
    const { data } = (await tools.ask('listOccurrences', { token: ann.token, params: { id: schedule.id } })) as {
      data: Occurrence[];
    };
    expect(data[0]).to.include({ state: 'failed', reason: 'not_permitted', task_id: null });
    const triggered = await tools.ask('triggerSchedule', { token: ann.token, params: { id: schedule.id } });
    expect(triggered).to.include({ state: 'failed', reason: 'not_permitted' });
  });

  it('fails when its creator may no longer assign the tasks', async () => {
    const other = await projectOf(harness, manager, [[lead, 'lead']]);
    const assigned = target({ project_id: other.id, assignee_id: lead.id });
    const schedule = await tools.everyMinute(lead, 0, { target: assigned });
    await setMember(harness, manager, other, lead, 'contributor');
    await tools.run();
    expect(await tools.states(schedule)).to.deep.equal(['not_permitted']);
  });

  it('acts for the user who chose its target', async () => {
    const schedule = await tools.everyMinute(ann, 60, { target: target() });
    const change = { token: manager.token, params: { id: schedule.id }, headers: { 'if-match': '*' } };
    await tools.ask('changeSchedule', { ...change, body: { target: target({ title: 'Feed the fish' }) } });
    await leave(ann);
    await tools.dueFrom(schedule, 0);
    await tools.run();
    // a minute that ends in between makes the next occurrence due, too
    expect((await tools.states(schedule))[0]).to.equal('ran');
  });

  it('skips its occurrences while the project is archived, announces them, and continues when it is in use again', async () => {
    const body = { target: target(), overlap: 'allow', catch_up: 'all', pause_after_failures: 1 };
    const schedule = await tools.everyMinute(ann, 60, body);
    await archive(true);
    await tools.dueFrom(schedule, -2);
    await tools.run();
    const states = await tools.states(schedule);
    expect(states).to.have.length.of.at.least(3);
    expect(new Set(states)).to.deep.equal(new Set(['project_archived']));
    expect(await tools.read(ann, schedule)).to.include({ paused: false, pause_reason: null });
    const announced = await sql(
      "SELECT FROM outbox WHERE type = 'tasks.schedule.skipped' AND aggregate_id = $1 AND payload ->> 'reason' = 'project_archived'",
      [schedule.id],
    );
    expect(announced).to.have.length(states.length);

    const at = { token: ann.token, params: { id: schedule.id } };
    const period = { from: new Date(Date.now() - 600_000).toISOString(), to: new Date().toISOString() };
    expect(codeOf(await harness.call('triggerSchedule', at))).to.equal('project_archived');
    expect(codeOf(await harness.call('backfillSchedule', { ...at, body: period }))).to.equal('project_archived');

    await archive(false);
    expect(await tools.ask('triggerSchedule', at)).to.include({ state: 'ran' });
    expect(await tools.ask('backfillSchedule', { ...at, body: period })).to.include({ failed: 0 });
    expect(await tools.states(schedule)).not.to.include('project_archived');
  });

  it('skips a queued occurrence in the same way', async () => {
    const schedule = await tools.everyMinute(ann, -2, { target: target(), overlap: 'queue_one', catch_up: 'all' });
    await tools.run();
    expect((await tools.states(schedule)).slice(0, 2)).to.deep.equal(['ran', 'queued']);
    const [first] = await tools.tasks(schedule);
    await harness.transition(ann, first!, 'cancelled');
    await archive(true);
    await tools.run();
    expect((await tools.states(schedule)).slice(0, 2)).to.deep.equal(['ran', 'project_archived']);
  });

  it('runs outside of projects if an earlier release has stored it', async () => {
    const schedule = await tools.everyMinute(ann, 0, { target: { kind: 'task', title: 'Water' } });
    await sql("UPDATE schedules SET target = target - 'project_id' WHERE id = $1", [schedule.id]);
    expect((await tools.read(ann, schedule)).target).to.include({ project_id: null });
    await tools.run();
    const [task] = await tools.tasks(schedule);
    expect(await harness.read(ben, { id: task?.id ?? '' })).to.include({ project_id: null });
  });

  it('is refused in a project that does not exist for the caller exactly as in one that does not exist', async () => {
    const hidden = await createProject(harness, manager);
    const shown = async (id: string) =>
      JSON.stringify((await create(ann, { project_id: id })).body).replaceAll(id, '…');
    const [one, other] = [await shown(hidden.id), await shown(crypto.randomUUID())];
    const withoutRequest = (text: string) => text.replace(/"request_id":"[^"]*"/, '');
    expect(withoutRequest(one)).to.equal(withoutRequest(other));
  });
});
