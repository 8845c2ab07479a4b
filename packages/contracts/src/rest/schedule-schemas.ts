import { z } from 'zod';
import { instant, uuid } from '../events/events.ts';
import { timeZone } from './due-dates.ts';
import { largestJobBytes, newJob } from './job-schemas.ts';
import { description, givenInstant, labels, line, openEnum, priority, title } from './schemas.ts';

/** A schedule describes a task or a job, so it may be as large as both. */
export const largestScheduleBytes = 72 * 1024 + largestJobBytes;

/** The fields that say when a schedule runs. */
export const ruleFields = {
  kind: z
    .enum(['cron', 'rrule', 'every', 'at'])
    .describe(
      'cron: five fields; rrule: an RRULE of RFC 5545, daily or slower; every: an ISO 8601 duration, at least a minute; at: one instant or local time',
    ),
  expression: line.min(1).max(500).describe('for example 30 9 * * MON-FRI, FREQ=MONTHLY;BYDAY=-1FR, PT15M, or 2026-12-24T18:00:00'),
  time_zone: timeZone,
  starts_at: givenInstant
    .nullable()
    .describe(
      'the earliest run, without fractions of a second; every counts from it, and an rrule takes the parts that it omits from it. Without it, every counts from now, and an rrule from the next full minute',
    ),
  ends_at: givenInstant.nullable().describe('the latest run'),
  dst_gap: z
    .enum(['run_after', 'skip'])
    .describe('for a local time that does not exist, because the clocks go forward: run right after the gap, or not at all'),
};

/** The fields of a new rule, with their defaults. */
export const newRule = {
  ...ruleFields,
  time_zone: ruleFields.time_zone.default('UTC'),
  starts_at: ruleFields.starts_at.default(null),
  ends_at: ruleFields.ends_at.default(null),
  dst_gap: ruleFields.dst_gap.default('run_after'),
};

/** An ISO 8601 duration without years and months. */
export const duration = z
  .string()
  .max(40)
  .regex(
    /^P(?=.)(\d{1,6}W)?(\d{1,6}D)?(T(?=.)(\d{1,6}H)?(\d{1,6}M)?(\d{1,9}S)?)?$/,
    'must be an ISO 8601 duration of weeks, days, hours, minutes and seconds, for example P1D or PT30M',
  );

/** The task that each occurrence creates. */
const taskTarget = z
  .strictObject({
    kind: z.literal('task'),
    title,
    description: description.default(''),
    priority: priority.default('normal'),
    labels: labels.default([]),
    project_id: uuid
      .nullable()
      .optional()
      .describe(
        'the project of the tasks; null for tasks that every user reads. While it is archived, occurrences are skipped; when the user who chose the target may no longer create such tasks in it, they fail',
      ),
    assignee_id: uuid.optional().describe('only managers, admins and leads of the project may send it'),
    assign: z
      .literal('random')
      .optional()
      .describe('chooses a performer for each task, in a project a contributor or lead; only managers, admins and leads of the project may send it'),
    due_in: duration.optional().describe('the due date of each task, counted from its occurrence; days are calendar days in the time zone'),
  })
  .refine((value) => value.assignee_id === undefined || value.assign === undefined, {
    path: ['assign'],
    message: 'must not be combined with assignee_id',
  });

/** Targets are stored as jsonb, which cannot contain NUL: https://www.postgresql.org/docs/18/datatype-json.html */
function hasNul(value: unknown): boolean {
  return /(?<!\\)(?:\\\\)*\\u0000/.test(JSON.stringify(value ?? null));
}

/** The job that each occurrence enqueues. */
const scheduledJob = newJob.pick({ queue: true, kind: true, payload: true, priority: true, max_attempts: true, concurrency_key: true }).extend({
  payload: newJob.shape.payload.refine((value) => !hasNul(value), { message: 'must not have the character \\u0000', params: { code: 'nul' } }),
  deadline_in: duration.optional().describe('the latest start of each job, counted from its occurrence'),
});
const jobTarget = z.strictObject({ kind: z.literal('job'), job: scheduledJob.describe('only managers and admins may send it') });

/** The task or job that each occurrence creates. */
const target = z.discriminatedUnion('kind', [taskTarget, jobTarget]);

/** How a schedule runs. */
export const settings = {
  target,
  catch_up: z.enum(['skip', 'latest', 'all']).describe('which of the occurrences that were due during an outage run: none that is more than a minute late, the latest, or those of the last day'),
  overlap: z
    .enum(['skip', 'queue_one', 'allow', 'cancel_running'])
    .describe('what happens to an occurrence while the previous task is not completed, cancelled or deleted, or the previous job has not ended'),
  regenerate: z
    .enum(['on_schedule', 'on_completion'])
    .describe(
      'on_completion: after each run, the next occurrence is the first one of the rule after the task or job has ended; every counts from that time',
    ),
  jitter: duration.describe('spreads the runs over this time after their instants, at most PT1H; shorter than the intervals between the next occurrences'),
  pause_after_failures: z.int().min(1).max(100).describe('pauses the schedule after this many failed occurrences in a row; a dead job counts as one'),
};

export const newSettings = {
  target,
  catch_up: settings.catch_up.default('latest'),
  overlap: settings.overlap.default('skip'),
  regenerate: settings.regenerate.default('on_schedule'),
  jitter: settings.jitter.default('PT0S'),
  pause_after_failures: settings.pause_after_failures.default(5),
};

export const ruleProblems = ['schedule_never_runs', 'schedule_too_complex', 'use_every_or_cron'] as const;
export const targetProblems = ['unknown_project', 'project_archived', 'unknown_assignee', 'ineligible_assignee', 'unknown_queue'] as const;

/** A future occurrence of a rule. */
export const plannedOccurrence = z.object({
  nominal_at: instant.describe('the time at which the rule runs'),
  local_time: z.string().describe('the same time in the time zone, with its offset, for example 2026-03-29T03:00:00+02:00'),
  state: openEnum(['planned', 'skipped']),
  reason: openEnum(['dst_gap']).nullable().describe('why it is skipped'),
});

/** An occurrence of a schedule. */
export const occurrence = plannedOccurrence.extend({
  state: openEnum(['planned', 'ran', 'skipped', 'queued', 'failed']),
  reason: openEnum(['overlap', 'missed', 'paused', 'dst_gap', 'capped', 'project_archived', 'not_permitted']).nullable().describe('why it did not run'),
  cause: openEnum(['rule', 'trigger', 'backfill']),
  task_id: uuid.nullable().describe('the task that it created'),
  job_id: uuid.nullable().describe('the job that it enqueued'),
  revision: z.int().describe('the revision of the rule that decided it'),
  decided_at: instant.nullable().describe('null for a future occurrence'),
});

export const schedule = z.object({
  id: uuid,
  kind: openEnum(['cron', 'rrule', 'every', 'at']),
  expression: z.string(),
  time_zone: z.string(),
  starts_at: instant.nullable(),
  ends_at: instant.nullable(),
  dst_gap: openEnum(['run_after', 'skip']),
  target: z.discriminatedUnion('kind', [
    z.object({
      kind: z.literal('task'),
      title: z.string(),
      description: z.string(),
      priority,
      labels: z.array(z.string()),
      project_id: uuid.nullable(),
      assignee_id: uuid.nullable(),
      assign: openEnum(['random']).nullable(),
      due_in: z.string().nullable(),
    }),
    z.object({
      kind: z.literal('job'),
      job: z.object({
        queue: z.string(),
        kind: z.string(),
        payload: z.unknown(),
        priority: z.int(),
        max_attempts: z.int(),
        concurrency_key: z.string().nullable(),
        deadline_in: z.string().nullable(),
      }),
    }),
  ]),
  catch_up: openEnum(['skip', 'latest', 'all']),
  overlap: openEnum(['skip', 'queue_one', 'allow', 'cancel_running']),
  regenerate: openEnum(['on_schedule', 'on_completion']),
  jitter: z.string(),
  pause_after_failures: z.int(),
  paused: z.boolean(),
  pause_reason: openEnum(['requested', 'failures', 'too_complex']).nullable(),
  next_at: instant.nullable().describe('the next occurrence; null if the rule has ended, or the task or job of the last one must end first'),
  revision: z.int().describe('increases with each change of the rule'),
  creator_id: uuid,
  version: z.int(),
  created_at: instant,
  updated_at: instant,
});

/** The schemas of responses, for the code that builds them. */
export const scheduleSchemas = { schedule, occurrence, plannedOccurrence };
