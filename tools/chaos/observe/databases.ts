import { isoMicros } from '@taskwire/postgres';
import pg from 'pg';
import type { World } from '../evidence.ts';
import type { ServiceName } from '../../../infra/local/secrets.ts';

type Databases = { databaseUrl(service: ServiceName): string };
type Stored = Omit<World, 'queues' | 'listedTasks' | 'listedNotifications' | 'deletedAccess'>;
type Rows = Record<string, unknown>[];

const consumers = ['tasks', 'notifications'] as const;

/** The contents of the tables of all services, read by a superuser in read-only transactions. */
export async function readDatabases({ databaseUrl }: Databases): Promise<Stored> {
  const [auth, tasks, notifications] = await Promise.all([
    reading(databaseUrl('auth'), async (rows) => ({
      users: await rows(users),
      links: await rows(links),
      outbox: await rows(outbox),
    })),
    reading(databaseUrl('tasks'), async (rows) => ({
      ...(await readConsumer(rows)),
      tasks: await rows(taskRows),
      activity: await rows(activity),
      comments: await rows(comments),
      positions: await rows(positions),
      blockers: await rows(blockers),
      ...(await readMachines(rows)),
      outbox: await rows(outbox),
    })),
    reading(databaseUrl('notifications'), async (rows) => ({
      ...(await readConsumer(rows)),
      notifications: await rows(notificationRows),
      deliveries: await rows(deliveries),
    })),
  ]);
  const consumer = { tasks, notifications };
  const ofBoth = (name: 'directory' | 'inbox' | 'deadLetters') =>
    consumers.flatMap((service) => consumer[service][name].map((row) => ({ service, ...row })));
  return {
    users: auth.users,
    links: auth.links,
    tasks: tasks.tasks,
    activity: tasks.activity,
    comments: tasks.comments,
    positions: tasks.positions,
    blockers: tasks.blockers,
    members: tasks.members,
    reminders: tasks.reminders,
    schedules: tasks.schedules,
    occurrences: tasks.occurrences,
    jobs: tasks.jobs,
    jobAttempts: tasks.jobAttempts,
    jobAudit: tasks.jobAudit,
    directory: ofBoth('directory'),
    inbox: ofBoth('inbox'),
    deadLetters: ofBoth('deadLetters'),
    outbox: { auth: auth.outbox.length, tasks: tasks.outbox.length },
    notifications: notifications.notifications,
    deliveries: notifications.deliveries,
  } as unknown as Stored;
}

async function readConsumer(rows: (text: string) => Promise<Rows>) {
  return { directory: await rows(directory), inbox: await rows(inbox), deadLetters: await rows(deadLetters) };
}

async function readMachines(rows: (text: string) => Promise<Rows>) {
  return {
    members: await rows(members),
    reminders: await rows(reminders),
    schedules: await rows(schedules),
    occurrences: await rows(occurrences),
    jobs: await rows(jobs),
    jobAttempts: await rows(jobAttempts),
    jobAudit: await rows(jobAudit),
  };
}

/** Returns a description of unfinished work; an empty list if none is left. */
export async function readUnfinished({ databaseUrl }: Databases): Promise<string[]> {
  const counts = await Promise.all([
    count(databaseUrl('auth'), 'auth', { 'in its outbox': outbox }),
    count(databaseUrl('tasks'), 'tasks', { 'in its outbox': outbox, ...unfinishedOfConsumer, ...unfinishedMachines }),
    count(databaseUrl('notifications'), 'notifications', {
      ...unfinishedOfConsumer,
      'mails to send': `SELECT FROM deliveries WHERE state = 'pending'`,
    }),
  ]);
  return counts.flat();
}

const unfinishedOfConsumer = {
  'messages to try again': 'SELECT FROM inbox_pending',
  'users to fetch': 'SELECT FROM directory_users WHERE stale_since IS NOT NULL',
};

const unfinishedMachines = {
  'jobs to finish': 'SELECT FROM jobs WHERE settled_at IS NULL',
  'schedules to run': 'SELECT FROM schedules WHERE due_at IS NOT NULL',
  // also those that are due while the state is read and checked: their events would be in the evidence, and their rows would not
  'reminders to send': `SELECT FROM task_reminders WHERE state = 'armed' AND remind_at <= now() + interval '1 minute'`,
};

async function count(url: string, service: string, queries: Record<string, string>): Promise<string[]> {
  return await reading(url, async (rows) => {
    const found: string[] = [];
    for (const [what, text] of Object.entries(queries)) {
      const { length } = await rows(text);
      if (length > 0) found.push(`${service}: ${length} ${what}`);
    }
    return found;
  });
}

async function reading<T>(url: string, work: (rows: (text: string) => Promise<Rows>) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000, query_timeout: 30_000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    return await work(async (text) => (await client.query<Record<string, unknown>>(text)).rows);
  } finally {
    await client.end();
  }
}

const outbox = 'SELECT FROM outbox';

const users = `
  SELECT id, email, name, role, version, ${isoMicros('updated_at')} AS updated_at, deleted_at IS NOT NULL AS is_deleted,
    ${isoMicros('tokens_valid_after')} AS tokens_valid_after
  FROM users`;

const links = `
  SELECT id, user_id, purpose, revoked_at IS NOT NULL AS is_void, ${isoMicros('created_at')} AS created_at FROM account_links`;

const taskRows = `
  SELECT id, title, state, creator_id, assignee_id, version, awaiting_performer, project_id, parent_id,
    deletion_id, deleted_at IS NOT NULL AS is_deleted,
    ${isoMicros('due_at')} AS due_at, ${isoMicros('created_at')} AS created_at, ${isoMicros('updated_at')} AS updated_at
  FROM tasks`;

const members = 'SELECT project_id, user_id, role FROM project_members';

const reminders = `SELECT task_id, kind, state, ${isoMicros('due_at')} AS due_at FROM task_reminders`;

const schedules = `
  SELECT id, coalesce(target ->> 'title', target #>> '{job,payload,name}') AS title, ${isoMicros('created_at')} AS created_at, deleted_at IS NOT NULL AS is_deleted FROM schedules`;

const occurrences = `
  SELECT schedule_id, ${isoMicros('nominal_at')} AS nominal_at, cause, state, reason, task_id, job_id FROM schedule_occurrences`;

const jobs = `
  SELECT id, state, payload ->> 'name' AS name, priority, unique_key, concurrency_key, cancel_requested, reason,
    (result ->> 'fence')::float8 AS result_fence, ${isoMicros('settled_at')} AS settled_at
  FROM jobs`;

const jobAttempts = `
  SELECT fence::float8, job_id, outcome, ${isoMicros('leased_at')} AS leased_at, ${isoMicros('ended_at')} AS ended_at FROM job_attempts`;

const jobAudit = 'SELECT job_id, action FROM job_audit';

const activity = `
  SELECT task_id, seq::integer, action, actor_id, field, from_value AS "from", to_value AS "to", reason, ${isoMicros('created_at')} AS created_at
  FROM task_activity`;

const comments = `
  SELECT id, task_id, author_id, body, version, ${isoMicros('created_at')} AS created_at, ${isoMicros('updated_at')} AS updated_at
  FROM task_comments`;

const positions = 'SELECT view_id, task_id, key FROM task_positions';

const blockers = 'SELECT task_id, blocker_id FROM task_blockers';

const directory = `
  SELECT id, email, name, role, version, is_deleted, stale_since IS NOT NULL AS is_stale FROM directory_users`;

const inbox = `SELECT message_id, handler, ${isoMicros('received_at')} AS received_at FROM inbox`;

const deadLetters = `SELECT message_id, type, reason, error FROM dead_letters WHERE state = 'dead'`;

const notificationRows = `
  SELECT id, event_id, user_id, type, task_id, title IS NOT NULL AS is_in_app, ${isoMicros('created_at')} AS created_at
  FROM notifications`;

const deliveries = `
  SELECT notification_id, user_id, channel, state, unknown_outcomes, last_error
  FROM deliveries JOIN notifications ON notifications.id = notification_id`;
