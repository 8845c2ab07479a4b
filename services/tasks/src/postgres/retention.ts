import { inboxRetention, type InboxPeriods } from '@taskwire/inbox';
import type { Loop } from '@taskwire/lifecycle';
import { outboxRetention } from '@taskwire/outbox';
import { partitionRetention } from '@taskwire/partitions';
import {
  createRetention,
  deleteInBatches,
  overdueSeconds,
  postgresRetention,
  query,
  type Database,
  type RetentionRule,
  type TableRetention,
} from '@taskwire/postgres';
import type { Telemetry } from '@taskwire/telemetry';
import { userDirectoryRetention } from '@taskwire/user-directory';
import { jobRetention, type JobPeriods } from './jobs/retention.ts';
import { scheduleRetention } from './schedules/retention.ts';

/** The shortest period is a day, so a delay of ten minutes doesn't matter. */
const intervalMs = 600_000;
/** Tasks per batch. Bounds the duration of a statement: deleting a task also deletes its activity. */
const taskBatch = 100;

export type TaskPeriods = JobPeriods & {
  /** Days that a deleted task is kept. */
  deletedTaskDays: number;
  /** Days that a decided occurrence of a schedule is kept. */
  occurrenceDays: number;
};

/**
 * Days from the deletion of a task to the removal of its tombstone: 90 days after the task was removed, and a day more, because retention may be late.
 * At least 121, because a copy may pause for 120 days.
 */
function tombstoneDaysFor(deletedTaskDays: number): number {
  return Math.max(deletedTaskDays + 91, 121);
}

/** The retention of Tasks' own tables. */
function ownRetention({ deletedTaskDays, occurrenceDays, ...jobPeriods }: TaskPeriods): TableRetention {
  const responses = deleteInBatches({
    table: 'idempotency_keys',
    keeps: '24 hours',
    because: 'the API promises a repeated response for a day',
    where: "created_at < now() - interval '24 hours'",
    orderBy: 'created_at',
    dueAt: "created_at + interval '24 hours'",
    // about 10 ms of work
    batch: 1_000,
  });
  const tombstoneDays = tombstoneDaysFor(deletedTaskDays);
  const tombstones = deleteInBatches({
    table: 'task_tombstones',
    keeps: `${tombstoneDays} days after the task was deleted (DELETED_TASK_DAYS and 91 more, at least 121)`,
    because:
      'a copy that follows the changes of tasks may pause for 120 days, and must then learn which tasks are gone',
    where: 'deleted_at < now() - make_interval(days => $1::integer)',
    values: () => [tombstoneDays],
    orderBy: 'deleted_at',
    dueAt: 'deleted_at + make_interval(days => $1::integer)',
    // about 10 ms of work
    batch: 1_000,
  });
  const access = deleteInBatches({
    table: 'project_access',
    keeps: '121 days',
    because:
      'a copy that follows the changes of tasks may pause for 120 days, and must then learn which projects its user has gained and lost',
    where: "changed_at < now() - interval '121 days'",
    orderBy: 'changed_at',
    dueAt: "changed_at + interval '121 days'",
    // about 10 ms of work
    batch: 1_000,
  });
  const jobs = jobRetention(jobPeriods);
  return {
    rules: [
      responses,
      removeDeletedTasks(deletedTaskDays),
      tombstones,
      access,
      ...scheduleRetention(occurrenceDays),
      ...jobs.rules,
    ],
    kept: {
      task_activity: 'the history of a task, which the API shows; it is deleted with its task (rule `tasks`)',
      task_comments: 'they belong to their task, and are deleted with it (rule `tasks`) or by their author',
      task_reminders:
        'two rows for each due date of a task, so that no reminder is sent twice; they are deleted with their task',
      task_labels: 'a row for each label of a task; it is deleted with the label or the task',
      task_blockers: 'a row for each dependency between two tasks; it is deleted with either of them',
      task_positions:
        'a row for each task of a view in manual order, at most a few thousand for a view; it is deleted with either',
      task_templates: 'saved by users; at most 100 for each user, who deletes them',
      task_views: 'a search that a user saved; at most 100 for each user, who deletes them',
      projects: 'archived, never deleted, because their tasks stay readable for their members',
      project_members: 'who may read the tasks of a project; removed by its leads, managers and admins',
      task_search: 'a row for each task; it is deleted with the task',
      comment_search: 'a row for each comment; it is deleted with the comment',
      task_search_progress: 'one row, the last changes that the search has seen',
      ...jobs.kept,
    },
  };
}

function removeDeletedTasks(days: number): RetentionRule {
  return {
    name: 'tasks',
    table: 'tasks',
    keeps: `${days} days after it was deleted (DELETED_TASK_DAYS), with its activity; a task that is not deleted is kept indefinitely`,
    because:
      'time to notice a mistake and restore the task; other tasks belong to their users. A tombstone shows copies and services that it was deleted',
    async run({ pool }) {
      const text = 'SELECT remove_deleted_tasks(make_interval(days => $1), $2) AS rows';
      const [row] = await query<{ rows: number }>(pool, text, [days, taskBatch]);
      const rows = row?.rows ?? 0;
      return { rows, progress: rows === taskBatch ? 'more' : 'idle' };
    },
    overdueSeconds: async ({ pool }) =>
      await overdueSeconds(pool, {
        table: 'tasks',
        where: 'deleted_at < now() - make_interval(days => $1::integer)',
        values: () => [days],
        orderBy: 'deleted_at',
        dueAt: 'deleted_at + make_interval(days => $1::integer)',
      }),
  };
}

/** The retention of every table in Tasks' database. */
export function tableRetention(periods: TaskPeriods & InboxPeriods): TableRetention[] {
  return [
    ownRetention(periods),
    inboxRetention(periods),
    outboxRetention(),
    userDirectoryRetention,
    partitionRetention,
    postgresRetention,
  ];
}

/** Deletes the data that Tasks keeps for a limited time. */
export function taskRetention(db: Database, periods: TaskPeriods, telemetry: Telemetry): Loop {
  const rules = [...ownRetention(periods).rules, ...outboxRetention().rules];
  return createRetention({ db, rules, intervalMs, telemetry });
}
