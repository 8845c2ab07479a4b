import { hasAddress, hasHiddenCharacter, hasVisibleCharacter, readingKey } from '@taskwire/text';
import { z } from 'zod';
import { instant, uuid } from '../events/events.ts';

export { email, givenEmail } from './email-schema.ts';
export { fieldError, problem } from './problem-schema.ts';

/** Roles, from the most to the least powerful. */
export const roles = ['admin', 'manager', 'member'] as const;
export const role = z.enum(roles);

/** The states of a task. */
export const taskStates = ['draft', 'assigned', 'in_progress', 'completed', 'cancelled'] as const;
export const taskState = z.enum(taskStates);

/** The states of a job. A job is `leased` while a worker executes it; the last three states are final. */
export const jobStates = ['scheduled', 'queued', 'leased', 'succeeded', 'dead', 'cancelled'] as const;

/** The priority of a task, from lowest to highest. */
export const priorities = ['low', 'normal', 'high', 'urgent'] as const;
export const priority = z.enum(priorities);

/** Text without control characters (NUL cannot be stored, and others break mail headers and terminals) and without surrounding spaces. */
export const line = z
  .string()
  .trim()
  // eslint-disable-next-line no-control-regex -- the pattern rejects control characters
  .regex(/^[^\u0000-\u001f\u007f]*$/u, 'must not have control characters');
export const prose = z
  .string()
  // eslint-disable-next-line no-control-regex -- as above, but new lines and tabs belong to prose
  .regex(/^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]*$/u, 'must not have control characters');

export const searchText = line.min(1).max(100);

/** Requires a visible character: text of only zero-width characters, fillers, tags and the like is not a title or a name. */
const nothingVisible = { message: 'must have a visible character', params: { code: 'nothing_visible' }, abort: true };
const visibleLine = (most: number) => line.min(1, { abort: true }).max(most, { abort: true }).refine(hasVisibleCharacter, nothingVisible);

/** The reason for an action, for people who review it later. */
export const reasonText = visibleLine(500);

/**
 * A person's name, as other users and e-mails show it. It has a visible character, no character that hides or reorders text, and no web or e-mail
 * address: names appear in e-mails to people who did not ask for them. The length is checked first and a failure ends validation, so that no long
 * text is searched.
 */
export const personName = visibleLine(100)
  .refine((name) => !hasHiddenCharacter(name), {
    message: 'must not have invisible characters, line breaks or characters that change the direction of text; type it instead of pasting it',
    params: { code: 'hidden_character' },
    abort: true,
  })
  .refine((name) => !hasAddress(name), {
    message: 'must not have a web or e-mail address; put a space after a full stop in a name, as in "J. Smith"',
    params: { code: 'contains_address' },
  })
  .describe('without web or e-mail addresses, invisible characters and characters that change the direction of text');
/** NIST SP 800-63B 3.1.1: at least 8 characters, with long passwords allowed, and without composition rules. The upper bound keeps hashing cheap. */
export const newPassword = z.string().min(8).max(256);
export const givenPassword = z.string().min(1).max(256);

export const title = visibleLine(200);
export const description = prose.max(10_000);
/** Labels are stored in one normal form (NFC), so that equal labels compare as equal. */
export const label = line
  .normalize('NFC')
  .min(1, { abort: true })
  .max(50, { abort: true })
  .refine(hasVisibleCharacter, nothingVisible);
export const labels = z
  .array(label)
  .max(20)
  .refine((list) => new Set(list.map(readingKey)).size === list.length, 'must not repeat a label, not even with differently encoded characters');
/**
 * An instant as sent by callers: RFC 3339 with an offset and up to nanoseconds. PostgreSQL has no year 0 and no offset of 16 hours or more, and
 * fractions of unlimited length would burden parsers.
 */
export const givenInstant = z.iso
  .datetime({ offset: true, error: 'must be a date, a time with seconds and an offset, for example 2026-11-28T12:00:00Z' })
  .refine((text) => !text.startsWith('0000'), 'must have a year of 0001 or later')
  .refine((text) => !/\.\d{10}/.test(text), 'must have at most 9 fractional digits of a second')
  .refine((text) => !/[+-](1[6-9]|2\d):\d\d$/.test(text), 'must have an offset below 16 hours');

const userFields = z.object({
  id: uuid,
  email: z.string(),
  name: z.string(),
  role,
  email_verified: z.boolean(),
  version: z.int(),
  created_at: instant,
  updated_at: instant,
});

export const user = userFields.extend({
  pending_email: z
    .string()
    .optional()
    .describe('the address that replaces `email` once the link mailed to it is used; shown to the user and to admins'),
});

/**
 * The epoch of the database, for states that other services copy: a restored database reuses version numbers, so copies compare (epoch, version).
 * Absent in epoch 1.
 */
const sourceEpoch = z.int().min(2).optional().describe('the epoch of the database, which a restore raises; 1 if absent. Copies compare (epoch, version)');

/** A user as returned to services, including a deleted user. */
export const internalUser = userFields.extend({
  email: z.string().describe('empty if the personal data of a deleted user was erased'),
  is_deleted: z.boolean(),
  tokens_valid_after: instant.nullable().describe('access tokens issued before this are refused'),
  source_epoch: sourceEpoch,
});

/** A user in a list. */
export const listedUser = user.extend({
  deleted_at: instant.optional().describe('only for deleted users'),
  restorable_until: instant.optional().describe('only for deleted users: the time until which an admin can restore the account'),
});

/** The response to a log-in. */
export const session = z.object({
  access_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: z.int().describe('the lifetime of the access token in seconds'),
  refresh_token: z.string(),
  user,
});

/**
 * Text, documented as `x-extensible-enum` with the values that this version sends. Readers must expect other values, so a new value breaks no reader;
 * a new value of a `z.enum` would.
 */
export function openEnum(values: readonly string[]) {
  return z.string().meta({ description: 'more values may be added', 'x-extensible-enum': values });
}

/** A user, as other users see them. */
export const person = z.object({ id: uuid, name: z.string() });

/** The kinds of tasks: a user carries out a `task`, and a worker carries out a `job`. */
export const taskKinds = ['task', 'job'] as const;

/** The job of a task, as far as every reader of the task may see it. It changes without a new version of the task. */
const taskJob = z.object({
  id: uuid,
  queue: z.string().nullable().describe('null once the job was removed, a while after it ended'),
  kind: z.string().nullable().describe('null once the job was removed'),
  state: openEnum(jobStates),
  reason: z.string().nullable().describe('why the job is dead or cancelled, for example attempts_exhausted, final or deadline'),
  progress: z.unknown().describe('the last progress that the worker reported; null without one'),
});

export const task = z.object({
  id: uuid,
  title: z.string(),
  description: z.string(),
  state: taskState,
  priority,
  due_at: instant.nullable(),
  due_time_zone: z.string().nullable().describe('the IANA time zone in which people read due_at'),
  due_all_day: z.boolean().describe('whether due_at is the last microsecond of a day in due_time_zone'),
  remind_before: z.string().describe('how long before due_at the assignee is reminded, as an ISO 8601 duration'),
  labels: z.array(z.string()),
  project_id: uuid.nullable().describe('the project whose members read the task; null for a task that every user reads'),
  creator_id: uuid,
  assignee_id: uuid.nullable(),
  awaiting_performer: z.boolean().describe('true for a draft that lost its performer when no other was available; it is assigned as soon as one is'),
  creator: person,
  assignee: person.nullable(),
  kind: openEnum(taskKinds).describe('task: a user carries it out; job: a worker carries it out, and it has no assignee'),
  job: taskJob.nullable().describe('the job that carries out the task; null unless kind is job'),
  parent_id: uuid.nullable().describe('the task of which this is a sub-task'),
  version: z.int(),
  created_at: instant,
  updated_at: instant,
});

/** The position of a task in a view in manual order. */
export const position = z.string().describe('sorts by its bytes, the first task first');

/** A task as returned to a reader, with `stats` if the request asks for them. */
export const readTask = task.extend({
  stats: z
    .object({
      blocked: z.boolean().describe('whether a task that it waits for has not ended'),
      open_subtasks: z.int(),
      comments: z.int(),
    })
    .optional()
    .describe('only with `include=stats`: facts derived from other resources, which change without a new version of the task'),
});

/** A task in a list. */
export const listedTask = readTask.extend({
  deleted_at: instant.optional().describe('only for deleted tasks'),
  found_in_comment: uuid.nullable().optional().describe('only with `q`: the latest comment that has all the words; null if the task has them'),
  position: position.nullable().optional().describe('only in a view in manual order: sorts by its bytes; null for a task that has no position yet'),
});

/** A task as returned to services. */
export const internalTask = task.extend({
  readers: z
    .array(uuid)
    .nullable()
    .describe('the members of its project, who may read the task besides managers and admins; null if every user may'),
  source_epoch: sourceEpoch,
});

export const activity = z.object({
  id: uuid,
  task_id: uuid,
  action: openEnum([
    ...['created', 'changed', 'assigned', 'unassigned', 'started', 'completed', 'cancelled', 'deleted'],
    ...['restored', 'due_soon', 'due_soon_skipped', 'overdue', 'comment_added', 'comment_changed', 'comment_deleted'],
    ...['blocker_added', 'blocker_removed', 'unblocked'],
  ]),
  actor: person.nullable().describe('null for the system'),
  field: z.string().nullable(),
  from: z.unknown(),
  to: z.unknown(),
  reason: z.string().nullable().describe('an explanation of the service, as a sentence'),
  why: z.string().nullable().describe('the reason that the user gave'),
  created_at: instant,
});

/** Types of notifications that this version sends. */
export const notificationTypes = [
  'task.assigned',
  'task.unassigned',
  'task.started',
  'task.completed',
  'task.cancelled',
  'task.unblocked',
  'task.due_soon',
  'task.overdue',
  'comment.mentioned',
  'comment.added',
  'user.welcome',
  'security.verify_email',
  'security.reset_password',
  'security.password_changed',
  'security.confirm_email',
  'security.email_change_requested',
  'security.email_changed',
  'security.invitation',
  'security.role_changed',
  'security.account_deleted',
  'security.account_restored',
  'security.admin_added',
] as const;

export const notification = z.object({
  id: uuid,
  type: openEnum(notificationTypes),
  title: z.string(),
  body: z.string(),
  task_id: uuid.nullable(),
  seen_at: instant.nullable(),
  read_at: instant.nullable(),
  archived_at: instant.nullable(),
  created_at: instant,
});

/** A page of a list. */
export function listOf<S extends z.ZodType>(item: S) {
  return z.object({ data: z.array(item), next_cursor: z.string().nullable() });
}

/** The longest wait for a change, in seconds: shorter than the limits of the gateway and of usual proxies. */
export const longestWaitSeconds = 25;

/** An integer in a query parameter. */
export function queryInteger(min: number, max: number) {
  return z.string().regex(/^\d{1,6}$/, `must be a whole number from ${min} to ${max}`).transform(Number).pipe(z.int().min(min).max(max));
}

/** The query parameters of every list. */
export const page = {
  cursor: z.string().min(1).max(1000).optional().describe('the next_cursor of the previous page'),
  limit: queryInteger(1, 100).default(50).describe('the page size, 1 to 100; the default is 50'),
};

/** A queue of jobs. Clients are registered for queues by name. */
export const queueName = z
  .string()
  .max(50)
  .regex(/^[a-z0-9][a-z0-9_.-]{0,49}$/, 'must have 1 to 50 of a to z, 0 to 9, dot, hyphen and underscore, for example reports');

export const idParams = z.strictObject({ id: uuid });
