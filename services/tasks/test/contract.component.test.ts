import { tasksRoutes, type Route } from '@taskwire/contracts';
import { query } from '@taskwire/postgres';
import {
  deadLetterFilterValues,
  insertDeadLetters,
  walkAsStranger,
  walkFilters,
  waitFor,
  walkReplays,
  type PreparedCall,
} from '@taskwire/testing';
import { expect } from 'chai';
import { createProject, projectOf } from './support/projects.ts';
import { tasksHarness, type Person, type TasksHarness } from './support/tasks-harness.ts';

/** The operations on schedules, and all others. */
const isOfSchedules = ([, route]: [string, Route]) => route.path.startsWith('/api/v1/schedules');
const scheduleRoutes = Object.fromEntries(Object.entries<Route>(tasksRoutes).filter(isOfSchedules));
const taskRoutes = Object.fromEntries(Object.entries<Route>(tasksRoutes).filter((one) => !isOfSchedules(one)));

/** A schedule that is not due while the tests run, except for a moment each year. */
const yearly = { kind: 'cron', expression: '0 4 2 2 *', target: { kind: 'task', title: 'Check the roof' } };
const template = { name: 'Mine', task: { title: 'Paint the fence' } };
const create = { op: 'create', body: { title: 'Paint the fence' } };
const backfill = { from: new Date(Date.now() - 60_000).toISOString(), to: new Date(Date.now() - 1_000).toISOString() };

describe('The contract of Tasks', () => {
  let harness: TasksHarness;
  let baseUrl: string;
  let admin: Person;
  let manager: Person;
  let ann: Person;
  let ben: Person;

  before(async () => {
    harness = await tasksHarness();
    baseUrl = harness.service.http.url();
    admin = await harness.join('Ada', 'admin');
    manager = await harness.join('Mona', 'manager');
    ann = await harness.join('Ann', 'member');
    ben = await harness.join('Ben', 'member');
  });
  after(async () => await harness.stop());

  async function snapshot(): Promise<unknown> {
    return await query(
      harness.database.db.pool,
      `SELECT (SELECT json_agg(tasks ORDER BY id) FROM tasks) AS tasks,
         (SELECT json_agg(task_activity ORDER BY seq) FROM task_activity) AS entries,
         (SELECT json_agg(task_comments ORDER BY id) FROM task_comments) AS comments,
         (SELECT json_agg(task_blockers) FROM task_blockers) AS blockers,
         (SELECT json_agg(jobs ORDER BY id) FROM jobs) AS jobs,
         (SELECT json_agg(schedules ORDER BY id) FROM schedules) AS schedules,
         (SELECT json_agg(task_views ORDER BY id) FROM task_views) AS views,
         (SELECT json_agg(task_positions ORDER BY view_id, task_id) FROM task_positions) AS positions,
         (SELECT json_agg(projects ORDER BY id) FROM projects) AS projects,
         (SELECT count(*) FROM schedule_occurrences) AS occurrences`,
    );
  }

  async function createSchedule({ token }: Person): Promise<{ id: string }> {
    const answer = await harness.call('createSchedule', { token, body: yearly });
    expect(answer.status).to.equal(201);
    return answer.body as { id: string };
  }

  async function createTemplate({ token }: Person): Promise<string> {
    return ((await harness.call('createTaskTemplate', { token, body: template })).body as { id: string }).id;
  }

  it('replays the response of every idempotent operation', async () => {
    const { token } = manager;
    const draft = async () => ({ params: { id: (await harness.createTask(manager)).id } });
    const schedule = async () => ({ params: { id: (await createSchedule(manager)).id } });
    const enqueued = async () => {
      const job = { queue: 'reports', kind: 'test' };
      return ((await harness.call('enqueueJob', { token, body: job })).body as { id: string }).id;
    };
    const dead = async () => {
      const id = await enqueued();
      const text = "UPDATE jobs SET state = 'dead', reason = 'poison', settled_at = clock_timestamp() WHERE id = $1";
      await query(harness.database.db.pool, text, [id]);
      return { token: admin.token, params: { id } };
    };
    const prepare: Record<string, () => Promise<PreparedCall>> = {
      createTask: async () => ({ token, body: { title: 'Paint the fence' } }),
      createView: async () => ({ token, body: { name: 'Mine' } }),
      moveTask: async () => {
        const [moved, other] = [await harness.createTask(manager), await harness.createTask(manager)];
        const view = await harness.call('createView', { token, body: { name: 'Mine', sort: 'manual' } });
        const body = { view_id: (view.body as { id: string }).id, before_id: other.id };
        return { token, params: { id: moved.id }, body };
      },
      createTaskTemplate: async () => ({ token, body: template }),
      instantiateTaskTemplate: async () => ({
        token,
        params: { id: await createTemplate(manager) },
        body: { values: {} },
      }),
      createProject: async () => ({ token, body: { name: 'Garden' } }),
      assignTask: async () => ({ token, ...(await draft()), body: { assign: 'random' } }),
      restoreTask: async () => ({ token, ...(await draft()) }),
      transitionTask: async () => ({ token, ...(await draft()), body: { state: 'cancelled' } }),
      addComment: async () => ({ token, ...(await draft()), body: { body: 'Done.' } }),
      shuffleTasks: async () => ({ token }),
      bulkTasks: async () => ({ token, body: { operations: [create, { op: 'delete', ref: '$0' }] } }),
      enqueueJob: async () => ({ token, body: { queue: 'reports', kind: 'test' } }),
      enqueueJobs: async () => ({ token, body: { jobs: [{ queue: 'reports', kind: 'test' }] } }),
      cancelJob: async () => ({ token, params: { id: await enqueued() } }),
      replayJob: async () => ({ ...(await dead()), body: { reason: 'a test' } }),
      replayJobs: async () => ({ token: (await dead()).token, body: { reason: 'a test' } }),
      dropJobs: async () => ({ token: (await dead()).token, body: { reason: 'a test' } }),
      createSchedule: async () => ({ token, body: yearly }),
      pauseSchedule: async () => ({ token, ...(await schedule()) }),
      resumeSchedule: async () => ({ token, ...(await schedule()) }),
      triggerSchedule: async () => ({ token, ...(await schedule()) }),
      backfillSchedule: async () => ({ token, ...(await schedule()), body: backfill }),
    };
    const { operations, faults } = await walkReplays({ baseUrl, routes: tasksRoutes, prepare, snapshot });
    expect(faults).to.deep.equal([]);
    expect(operations).to.equal(23);
  });

  it('rejects a stranger to the task in every operation, except those that are open to every user', async () => {
    const { id } = await harness.createTask(manager, { assignee_id: ann.id });
    const other = await harness.createTask(ben);
    const params = { id };
    const added = await harness.call('addComment', { token: ann.token, params, body: { body: 'Done.' } });
    const ofComment = { params: { id, comment_id: (added.body as { id: string }).id } };
    const { operations, faults } = await walkAsStranger({
      ...{ baseUrl, routes: taskRoutes, snapshot: async () => await harness.read(manager, { id }), secrets: [id] },
      tokenOf: async () => ben.token,
      requests: {
        createTask: { body: { title: 'Paint the gate' } },
        enqueueJob: { body: { queue: 'reports', kind: 'test' } },
        enqueueJobs: { body: { jobs: [{ queue: 'reports', kind: 'test' }] } },
        getJob: { params },
        setJobLimit: { params: { queue: 'reports', key: 'a' }, body: { max_running: 1, rate: null } },
        listJobLimits: { params: { queue: 'reports' } },
        cancelJob: { params },
        replayJob: { params, body: { reason: 'a test' } },
        replayJobs: { body: { reason: 'a test' } },
        dropJobs: { body: { reason: 'a test' } },
        changeTask: { params, body: { title: 'Mine' } },
        createView: { body: { name: 'Mine' } },
        changeProject: { params, body: { name: 'Mine' } },
        setProjectMember: { params: { id, user_id: ben.id }, body: { role: 'lead' } },
        removeProjectMember: { params: { id, user_id: ben.id } },
        changeView: { params, body: { name: 'Mine' } },
        deleteView: { params },
        moveTask: { params, body: { view_id: id, before_id: id } },
        createTaskTemplate: { body: template },
        changeTaskTemplate: { params, body: { name: 'Mine' } },
        deleteTaskTemplate: { params },
        deleteTask: { params },
        restoreTask: { params },
        bulkTasks: { body: { operations: [{ op: 'change', id, if_match: '*', body: { title: 'Mine' } }] } },
        assignTask: { params, body: { assignee_id: ben.id } },
        'transitionTask in_progress': { params, body: { state: 'in_progress' } },
        'transitionTask completed': { params, body: { state: 'completed' } },
        'transitionTask cancelled': { params, body: { state: 'cancelled' } },
        'transitionTask override_blocked': {
          params,
          body: { state: 'in_progress', override_blocked: true, reason: 'a test' },
        },
        'transitionTask force': { params, body: { state: 'completed', force: true } },
        addBlocker: { params: { id, other_id: other.id } },
        removeBlocker: { params: { id, other_id: other.id } },
        changeComment: { ...ofComment, body: { body: 'Mine.' } },
        deleteComment: ofComment,
        getTasksDeadLetter: { params },
        replayTasksDeadLetter: { params },
        replayTasksDeadLetters: { body: { filter: {} } },
        dropTasksDeadLetter: { params, body: { reason: 'a test' } },
        listTaskJourney: { params: { task_id: id } },
      },
    });
    expect(faults).to.deep.equal([]);
    expect(operations).to.equal(39);
    // canary: the assignee may start the task, so walking as the assignee must report a fault
    const assignee = await walkAsStranger({
      ...{ baseUrl, routes: { transitionTask: tasksRoutes.transitionTask }, snapshot, secrets: [] },
      ...{
        tokenOf: async () => ann.token,
        requests: { 'transitionTask in_progress': { params, body: { state: 'in_progress' } } },
      },
    });
    expect(assignee.faults[0]).to.match(/^transitionTask in_progress: responded with 200 to a stranger/);
  });

  it('rejects a stranger to the schedule in every operation on it, and shows it in no list', async () => {
    const { id } = await createSchedule(ann);
    const params = { id };
    const read = async () => (await harness.call('getSchedule', { token: manager.token, params })).body;
    const { operations, faults } = await walkAsStranger({
      ...{ baseUrl, routes: scheduleRoutes, snapshot: read, secrets: [id] },
      tokenOf: async () => ben.token,
      requests: {
        createSchedule: { body: yearly },
        getSchedule: { params },
        changeSchedule: { params, body: { expression: '0 5 2 2 *' } },
        deleteSchedule: { params },
        pauseSchedule: { params },
        resumeSchedule: { params },
        triggerSchedule: { params },
        backfillSchedule: { params, body: backfill },
        listOccurrences: { params },
      },
    });
    expect(faults).to.deep.equal([]);
    expect(operations).to.equal(10);
  });

  it('publishes the events that follow from the activity entries of every operation, one for one', async () => {
    const task = await harness.createTask(ann);
    const blocker = await harness.createTask(ann);
    const blocked = { id: task.id, other_id: blocker.id };
    const at = { token: manager.token, params: { id: task.id }, headers: { 'if-match': '*' } };
    const steps: [Parameters<TasksHarness['call']>[0], Parameters<TasksHarness['call']>[1], string[]][] = [
      ['changeTask', { ...at, body: { title: 'Other', labels: ['home'], priority: 'high' } }, ['changed']],
      ['assignTask', { ...at, body: { assignee_id: ann.id } }, ['assigned']],
      ['assignTask', { ...at, body: { assignee_id: ann.id } }, []],
      ['assignTask', { ...at, body: { assignee_id: ben.id } }, ['unassigned', 'assigned']],
      ['addBlocker', { ...at, params: blocked }, ['blocker_added']],
      ['addBlocker', { ...at, params: blocked }, []],
      ['removeBlocker', { ...at, params: blocked }, ['blocker_removed']],
      ['removeBlocker', { ...at, params: blocked }, []],
      ['addBlocker', { ...at, params: blocked }, ['blocker_added']],
      ['deleteTask', { ...at, params: { id: blocker.id } }, ['unblocked']],
      ['transitionTask', { ...at, token: ben.token, body: { state: 'in_progress' } }, ['started']],
      ['transitionTask', { ...at, token: ben.token, body: { state: 'completed' } }, ['completed']],
      ['deleteTask', at, ['deleted']],
      ['restoreTask', at, ['restored']],
      ['restoreTask', at, []],
    ];
    const published = ['created', 'changed'];
    for (const [operation, call, types] of steps) {
      expect((await harness.call(operation, call)).status, operation).to.be.below(300);
      published.push(...types);
    }
    const seen = await harness.observer.expectAbout(task.id, published);
    const rows = await query<{ action: string; actor_id: string | null; to_value: unknown; from_value: unknown }>(
      harness.database.db.pool,
      'SELECT action, actor_id, from_value, to_value FROM task_activity WHERE task_id = $1 ORDER BY seq',
      [task.id],
    );
    // a creation is announced as created and changed; the changed fields of one request are announced once
    const announced = rows.filter(({ action }, index) => action !== 'changed' || rows[index - 1]?.action !== 'changed');
    const expected = announced.flatMap((entry) =>
      entry.action === 'created' ? [entry, { ...entry, action: 'changed' }] : [entry],
    );
    expect(expected.map(({ action }) => action)).to.deep.equal(published);
    expect(seen.map(({ payload }) => payload['actor'])).to.deep.equal(expected.map((entry) => entry.actor_id));
    for (const [index, { action, from_value, to_value }] of expected.entries()) {
      const { payload } = seen[index] ?? { payload: {} };
      if (action === 'assigned') expect(payload).to.include({ assigned_to: to_value });
      if (action === 'unassigned') expect(payload).to.include({ unassigned_from: from_value });
    }
  });

  it('applies every parameter of every list', async () => {
    const task = await harness.createTask(ann);
    await harness.createTask(manager, {
      title: 'Dry the dishes urgently',
      assignee_id: ann.id,
      priority: 'urgent',
      due_at: '2040-01-01T00:00:00Z',
    });
    await harness.createTask(manager, {
      assignee_id: ben.id,
      labels: ['home', 'garden'],
      due_at: '2039-01-01T00:00:00Z',
    });
    await harness.createTask(manager, {
      kind: 'job',
      job: { queue: 'mails', kind: 'send', run_at: '2100-01-01T00:00:00Z' },
    });
    await harness.assign(manager, task, ben);
    const subtask = await harness.createTask(ann, { parent_id: task.id });
    const other = await harness.createTask(ann);
    const waits = { id: subtask.id, other_id: other.id };
    expect((await harness.call('addBlocker', { token: ann.token, params: waits })).status).to.equal(204);
    for (const body of ['one', 'two'])
      await harness.call('addComment', { token: ann.token, params: { id: task.id }, body: { body } });
    for (const id of [(await harness.createTask(ann)).id, (await harness.createTask(ann)).id])
      await harness.call('deleteTask', { token: ann.token, params: { id }, headers: { 'if-match': '*' } });
    const projects = [await createProject(harness, ann), await projectOf(harness, ann, [[ben, 'viewer']])];
    const projectId = projects[0]?.id ?? '';
    const archived = {
      token: ann.token,
      params: { id: (await createProject(harness, ann)).id },
      body: { archived: true },
    };
    await harness.call('changeProject', { ...archived, headers: { 'if-match': '*' } });
    await harness.createTask(ann, { project_id: projectId });
    await insertDeadLetters(harness.database.db.pool);
    for (const [queue, kind] of [
      ['reports', 'render'],
      ['reports', 'send'],
      ['mails', 'send'],
    ]) {
      await harness.call('enqueueJob', { token: manager.token, body: { queue, kind, run_at: '2100-01-01T00:00:00Z' } });
    }
    await harness.call('enqueueJob', { token: manager.token, body: { queue: 'mails', kind: 'send' } });
    // a round indexes nothing while a transaction that may have got an earlier number is still running
    const found = { token: ann.token, query: { q: 'urgently' } };
    await waitFor(async () => {
      await harness.service.search.tick();
      return ((await harness.call('listTasks', found)).body as { data: unknown[] }).data.length > 0;
    });
    const view = { token: ann.token, body: { name: 'Mine', sort: 'manual' } };
    for (const _ of [1, 2]) await createTemplate(ann);
    const views: string[] = [];
    for (const _ of [1, 2]) views.push(((await harness.call('createView', view)).body as { id: string }).id);
    await createSchedule(ann);
    const schedule = await createSchedule(ann);
    const inYears = (years: number) => new Date(Date.now() + years * 366 * 86_400_000).toISOString();
    const isForAdmins = ({ access }: Route) => access.kind === 'user' && access.roles !== undefined;
    const { parameters, faults } = await walkFilters({
      ...{ baseUrl, routes: tasksRoutes },
      tokenOf: async (route) => (isForAdmins(route) ? admin : ann).token,
      params: {
        listActivity: { id: task.id },
        listComments: { id: task.id },
        listProjectMembers: { id: projects[1]?.id ?? '' },
        listOccurrences: { id: schedule.id },
        listViewTasks: { id: views[0] ?? '' },
        listTaskJourney: { task_id: task.id },
      },
      values: {
        listTasks: {
          state: ['draft', 'assigned', 'cancelled'],
          assignee: ['me', ben.id, 'none'],
          creator: [ann.id],
          mine: ['true', 'false'],
          kind: ['task', 'job'],
          deleted: ['true'],
          project: [projectId],
          parent: [task.id, 'none'],
          blocked: ['true', 'false'],
          blocks: [subtask.id],
          blocked_by: [other.id],
          include: ['stats'],
          priority: ['urgent'],
          label: ['home'],
          label_all: ['garden'],
          due_before: ['2040-01-01T00:00:00Z'],
          due_after: ['2040-01-01T00:00:00Z'],
          q: ['urgently', '"dry the dishes"'],
          sort: ['created_at', 'updated_at', '-updated_at', 'due_at', '-due_at', 'priority', '-priority'],
        },
        listViewTasks: { include: ['stats'] },
        listLabels: { prefix: ['h'] },
        listProjects: { archived: ['true'] },
        listOccurrences: { from: [inYears(2)], to: [inYears(2)] },
        listTasksDeadLetters: deadLetterFilterValues,
        listJobs: { state: ['scheduled', 'queued'], queue: ['mails'], kind: ['render'] },
      },
    });
    expect(faults).to.deep.equal([]);
    expect(parameters).to.equal(64);
  });
});
