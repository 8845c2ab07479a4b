import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { fillTables, largeTableScans, planSizes, propertyTimeoutMs, recordStatements } from '@taskwire/testing';
import { defaultRetention } from '../src/wire/retention.ts';
import { hotStatements } from '../src/postgres/statements.ts';
import { startCopy } from './support/copy.ts';
import { linkTools } from './support/links.ts';
import { projectOf } from './support/projects.ts';
import { scheduleTools } from './support/schedules.ts';
import { searchTools } from './support/search.ts';
import { tasksHarness, type Person, type TasksHarness } from './support/tasks-harness.ts';

describe("The plans of Tasks' statements", function () {
  // filling the tables with 100,000 tasks takes a minute
  this.timeout(propertyTimeoutMs);
  let harness: TasksHarness;
  let manager: Person;
  let ann: Person;
  let ben: Person;
  let projectId: string;
  let stored = 0;

  before(async () => {
    harness = await tasksHarness();
    manager = await harness.join('Mia', 'manager');
    ann = await harness.join('Ann', 'member');
    ben = await harness.join('Ben', 'member');
    projectId = (await projectOf(harness, ben, [[ann, 'contributor']])).id;
  });
  after(async () => await harness.stop());

  /** Fills the tables with tasks of many users, 95 % of them completed. */
  async function growTo(count: number): Promise<void> {
    const { database } = harness;
    await fillTables(database, [fillUsers], [Math.max(1_000, count / 10)]);
    await fillTables(database, [fillProjects], [count / 10]);
    await fillTables(database, [fillTasks], [stored + 1, count, ann.id]);
    await fillTables(database, [useNumbers, fillSearch, followSearch], []);
    await fillTables(database, [fillKeys], [count]);
    await fillTables(database, [fillSchedules], [count / 10, filledTarget]);
    await fillTables(database, [fillOccurrences], []);
    await fillTables(database, [fillReminders], []);
    await fillTables(database, [fillComments], []);
    await fillTables(database, [fillParents, fillBlockers], []);
    stored = count;
  }

  /** Runs every prepared statement at least once. */
  async function useEverything(): Promise<void> {
    const draft = await harness.createTask(ann, { title: 'Draft', labels: ['garden'] });
    for (const body of [{ title: 'Once' }, { title: 'Once', assignee_id: ben.id }]) {
      const headers = { 'idempotency-key': randomUUID() };
      for (const _ of [1, 2]) await harness.call('createTask', { token: manager.token, body, headers });
    }
    const task = await harness.createTask(manager, { assignee_id: ann.id, due_at: '2030-01-01T00:00:00Z' });
    const change = { token: manager.token, params: { id: task.id }, body: { title: 'Other' } };
    // the second change finds nothing to do
    for (const _ of [1, 2]) await harness.call('changeTask', { ...change, headers: { 'if-match': '*' } });
    await harness.transition(ann, task, 'in_progress');
    await harness.transition(ann, task, 'completed');
    await harness.assign(manager, draft, ben);
    await harness.call('assignTask', { token: manager.token, params: { id: draft.id }, body: { assign: 'random' } });
    await harness.read(ann, task);
    await harness.activity(ann, task);
    const filters: Record<string, string>[] = [
      {},
      { mine: 'true' },
      ...[{ state: 'assigned' }, { state: 'draft' }],
      { assignee: ann.id },
      { creator: ann.id },
      { kind: 'job' },
      { kind: 'task' },
      { project: projectId },
      { label: 'garden' },
      { label_all: 'garden' },
      { priority: 'urgent' },
      { due_before: '2020-01-01T00:00:00Z' },
      { q: 'garden' },
      { q: 'garden -fence', sort: '-created_at' },
      ...['updated_at', '-updated_at', 'due_at', '-due_at', 'priority', '-priority'].map((sort) => ({ sort })),
    ];
    for (const filter of filters) await harness.call('listTasks', { token: ann.token, query: filter });
    await harness.call('listTasks', { token: manager.token });
    await useComments(task.id);
    await useLinks();
    await useProjects();
    const among = {
      token: ann.token,
      body: {
        filter: {
          or: [
            { field: 'label', op: 'eq', value: 'garden' },
            { field: 'creator', op: 'eq', value: 'me' },
          ],
        },
      },
    };
    await harness.call('searchTasks', among);
    await harness.call('listLabels', { token: ann.token });
    await harness.call('suggestTasks', { token: ann.token, query: { q: 'garden' } });
    await startCopy(harness, 'syncPeople', ann).catchUp();
    const copy = startCopy(harness, 'syncTasks', ann, 500);
    await copy.catchUp();
    await projectOf(harness, ben, [[ann, 'viewer']]);
    await copy.catchUp();
    await searchTools(harness).follow();
    await harness.call('deleteTask', { token: manager.token, params: { id: task.id }, headers: { 'if-match': '*' } });
    await harness.call('listTasks', { token: ann.token, query: { deleted: 'true', label: 'garden' } });
    await harness.call('restoreTask', { token: manager.token, params: { id: task.id } });
    await harness.become(ben, 'manager');
    await harness.service.reassigner.tick();
    await useSchedules();
    await harness.become(ben, 'member');
    await harness.createTask(ann, { due_at: '2020-01-01T00:00:00Z' });
    await harness.createTask(manager, { kind: 'job', job: { queue: 'reports', kind: 'test' } });
    while ((await harness.service.reminders.tick()) === 'more');
    await harness.service.retention.tick();
    const { db } = harness.service;
    for (const { rules } of defaultRetention) for (const rule of rules) await rule.overdueSeconds(db);
    await harness.service.directory.reconciler.tick();
  }

  async function useProjects(): Promise<void> {
    const service = await harness.auth.serviceToken('tasks:read');
    for (const more of [{}, { assignee_id: ann.id }, { assign: 'random' }]) {
      const { id } = await harness.createTask(manager, { project_id: projectId, ...more });
      await harness.call('getInternalTask', { token: service, params: { id } });
    }
    await harness.call('listProjects', { token: ann.token });
    await harness.call('listProjectMembers', { token: ann.token, params: { id: projectId } });
    const once = { token: ann.token, headers: { 'idempotency-key': randomUUID() } };
    for (const _ of [1, 2]) await harness.call('createTask', { ...once, body: { title: 'Once' } });
  }

  async function useComments(id: string): Promise<void> {
    const of = { token: ann.token, params: { id } };
    const { body } = await harness.call('addComment', { ...of, body: { body: `<@${ben.id}>` } });
    const at = { ...of, params: { id, comment_id: (body as { id: string }).id }, headers: { 'if-match': '*' } };
    await harness.call('listComments', of);
    await harness.call('getComment', at);
    await harness.call('changeComment', { ...at, body: { body: 'Done.' } });
    await harness.call('deleteComment', at);
  }

  async function useLinks(): Promise<void> {
    const links = linkTools(harness);
    const parent = await harness.createTask(manager, { assignee_id: ann.id });
    const [subtask, blocker] = [await links.subtask(ann, parent), await harness.createTask(ann)];
    await links.place(ann, blocker, parent);
    await links.place(ann, blocker, null);
    await links.block(manager, parent, blocker);
    await links.move(ann, parent, 'in_progress');
    await links.unblock(manager, parent, blocker);
    await links.block(manager, subtask, blocker);
    await harness.transition(ann, blocker, 'cancelled');
    await links.move(ann, parent, 'in_progress');
    await links.move(ann, parent, 'completed');
    await links.remove(manager, parent);
  }

  /** Runs a schedule for every way to create a task, and rounds of the scheduler. */
  async function useSchedules(): Promise<void> {
    const tools = scheduleTools(harness);
    const { pool } = harness.database.db;
    for (const target of [{}, { assignee_id: ann.id }, { assign: 'random' }]) {
      const regenerate = 'assign' in target ? 'on_completion' : 'on_schedule';
      const body = {
        target: { kind: 'task', title: 'x', ...target },
        overlap: 'queue_one',
        catch_up: 'all',
        regenerate,
      };
      const schedule = await tools.everyMinute(manager, 5, body);
      await query(pool, "UPDATE schedules SET zone_database = '' WHERE id = $1", [schedule.id]);
      await tools.run();
      await tools.dueFrom(schedule, -1);
      await tools.run();
      const [task] = await tools.tasks(schedule);
      await harness.transition(manager, { id: task?.id ?? '' }, 'cancelled');
      await tools.run();
      const { token } = manager;
      const at = { token, params: { id: schedule.id } };
      const reads = ['getSchedule', 'listOccurrences'] as const;
      for (const operation of ['triggerSchedule', 'pauseSchedule', 'resumeSchedule', ...reads] as const)
        await tools.ask(operation, at);
      for (const reader of [manager, ann]) await tools.ask('listSchedules', { token: reader.token });
      await tools.ask('deleteSchedule', { ...at, headers: { 'if-match': '*' } });
    }
    // the other gauges count whole tables, once for each scrape
    await harness.service.telemetry.metrics.getSingleMetric('schedule_lag_seconds')?.get();
  }

  for (const count of planSizes) {
    it(`scan no large table sequentially, and match statements.sql, with ${count} tasks`, async () => {
      await growTo(count);
      const { pool } = harness.service.db;
      const log = recordStatements(pool);
      await useEverything();
      const ran = log.statements();
      expect(ran.length, 'statements that were seen').to.be.greaterThan(20);
      expect(await largeTableScans(harness.database.db.pool, ran)).to.deep.equal([]);
      const prepared = ran.filter(({ name }) => name?.startsWith('tasks.'));
      expect(prepared.map(({ name, text }) => ({ name, text }))).to.have.deep.members(
        hotStatements.filter(({ name }) => name.startsWith('tasks.')),
      );
    });
  }

  it('are reported when they scan a large table (canary)', async () => {
    const text = "SELECT id FROM tasks WHERE title = 'x' AND $1::text IS NOT NULL";
    const ran = [{ name: 'canary', text, values: ['x'] }];
    expect(await largeTableScans(harness.database.db.pool, ran)).to.deep.equal([`tasks: ${text}`]);
  });
});

/** None of them can be chosen to carry out a task. */
const fillUsers = `
  INSERT INTO directory_users (id, event_at, name, email, role, version, is_deleted, email_verified, updated_at, fetched_at)
  SELECT gen_random_uuid(), now(), 'Person ' || n, n || '@example.org', 'admin', 1, false, true, now(), now()
  FROM generate_series((SELECT count(*) FROM directory_users), $1) AS n`;

const fillProjects = `
  WITH stored AS (
    INSERT INTO projects (name, description, creator_id)
    SELECT 'Project ' || n, '', gen_random_uuid() FROM generate_series((SELECT count(*) FROM projects), $1) AS n RETURNING id
  )
  INSERT INTO project_members (project_id, user_id, role) SELECT id, gen_random_uuid(), 'lead' FROM stored`;

/**
 * Every fourth task is in a project, and so are the latest: the list of a member is then read from each project. Only these have a number above 0, so that
 * a copy passes over many tasks and gets few.
 */
const fillTasks = `
  WITH people AS MATERIALIZED (SELECT array_agg(id) AS ids FROM (SELECT id FROM directory_users LIMIT 1000) AS person),
  held AS MATERIALIZED (SELECT array_agg(id) AS ids FROM (SELECT id FROM projects LIMIT 1000) AS project),
  stored AS (
    INSERT INTO tasks (title, description, state, priority, labels, creator_id, assignee_id, project_id, created_at, updated_at, change_no)
    SELECT 'Task ' || n, '', CASE WHEN n % 20 = 0 THEN 'assigned' ELSE 'completed' END, 'normal', '{}', people.ids[n % 1000 + 1],
      CASE WHEN n % 20 = 0 THEN $3::uuid ELSE people.ids[n % 1000 + 1] END, CASE WHEN n % 4 = 2 OR n > $2 - 1100 THEN held.ids[n % cardinality(held.ids) + 1] END, now(), now(),
      CASE WHEN n % 4 = 2 OR n > $2 - 1100 THEN nextval('task_changes') ELSE 0 END
    FROM people, held, generate_series($1::integer, $2::integer) AS n
    RETURNING id, created_at, title
  )
  INSERT INTO task_activity (task_id, action, created_at)
  SELECT id, 'created', created_at FROM stored WHERE title LIKE '%0'`;

const fillSearch = `
  INSERT INTO task_search (task_id, title, document) SELECT id, lower(title), to_tsvector('task_text', title) FROM tasks ON CONFLICT DO NOTHING`;

/** So many that a copy may pass over tasks. */
const useNumbers = "SELECT setval('task_changes', (SELECT last_value FROM task_changes) + 10000)";
const followSearch = 'UPDATE task_search_progress SET change_no = (SELECT last_value FROM task_changes)';

const fillKeys = `
  INSERT INTO idempotency_keys (actor_id, key, fingerprint, response_body, etag)
  SELECT gen_random_uuid(), n::text, '\\x00', '{}', 1 FROM generate_series(1, $1::integer / 10) AS n`;

/** Two reminders for each task: armed for open tasks, sent for the others. */
const fillReminders = `
  INSERT INTO task_reminders (task_id, kind, due_at, remind_at, state, settled_at)
  SELECT id, kinds.kind, timestamptz '2099-01-01', timestamptz '2099-01-01', CASE state WHEN 'assigned' THEN 'armed' ELSE 'sent' END,
    CASE WHEN state <> 'assigned' THEN now() END
  FROM tasks, unnest(ARRAY['due_soon', 'overdue']) AS kinds (kind)
  ON CONFLICT DO NOTHING`;

const fillComments = `
  INSERT INTO task_comments (task_id, author_id, body, mentions, created_at, updated_at)
  SELECT id, creator_id, 'Done.', '{}', now(), now() FROM tasks WHERE NOT EXISTS (SELECT FROM task_comments WHERE task_id = tasks.id)`;

/** Every tenth task is a sub-task of the task before it, and every task waits for that task. */
const fillParents = `
  UPDATE tasks SET parent_id = other.before FROM (
    SELECT id, lag(id) OVER (ORDER BY id) AS before, row_number() OVER (ORDER BY id) AS place FROM tasks
  ) AS other WHERE other.id = tasks.id AND place % 10 = 0 AND tasks.parent_id IS NULL`;
const fillBlockers = `
  INSERT INTO task_blockers (task_id, blocker_id)
  SELECT id, before FROM (SELECT id, lag(id) OVER (ORDER BY id) AS before FROM tasks) AS other WHERE before IS NOT NULL
  ON CONFLICT DO NOTHING`;

const filledTarget = JSON.stringify({
  ...{ kind: 'task', title: 'x', description: '', priority: 'normal', labels: [] },
  ...{ assignee_id: null, assign: null, due_in: null },
});

/** None of them is due. */
const fillSchedules = `
  INSERT INTO schedules (creator_id, kind, expression, time_zone, dst_gap, target, acts_for, catch_up, overlap, jitter_seconds, pause_after_failures,
    next_at, due_at, zone_database, deleted_at)
  SELECT gen_random_uuid(), 'cron', '0 9 * * *', 'UTC', 'skip', $2::jsonb, gen_random_uuid(), 'skip', 'skip', 0, 5, now() + interval '1 day',
    CASE WHEN n % 10 > 0 THEN now() + interval '1 day' END, '9999z', CASE WHEN n % 10 = 0 THEN now() END
  FROM generate_series((SELECT count(*) FROM schedules), $1) AS n`;

const fillOccurrences = `
  INSERT INTO schedule_occurrences (schedule_id, nominal_at, revision, cause, state, reason)
  SELECT id, now() - n * interval '1 minute', 1, 'rule', 'skipped', 'missed' FROM schedules, generate_series(1, 10) AS n
  ON CONFLICT DO NOTHING`;
