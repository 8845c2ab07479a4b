import { z } from 'zod';

/** A UUID in its canonical form. Any version is read, since ids may come from elsewhere; Taskwire itself makes version 7. */
export const uuid = z.guid().toLowerCase();

/** An instant as ISO 8601 in UTC with up to microseconds, made in the database. */
export const instant = z.iso.datetime();

const userEvent = z.object({
  user_id: uuid.describe('the user'),
  timestamp: instant.describe('when it was committed; strictly increasing for each user'),
});

/** What asks for a mail has the id of the link only; the link is made when the mail is sent, and is in no message. */
const linkEvent = z.object({
  user_id: uuid.describe('the user'),
  link_id: uuid.describe('the link; GET /account_links/{id} has it'),
  timestamp: instant.describe('when it was asked for'),
});

/** What an account's own events have in common. */
const accountFact = {
  user_id: uuid.describe('the user to notify'),
  timestamp: instant.describe('when it was committed'),
};
const accountActor = uuid.nullable().describe('the user who did it; null for the command line');

const taskFact = {
  task_uuid: uuid.describe('the task'),
  timestamp: instant.describe('when it happened'),
  actor: uuid.nullable().describe('the user who did it; null for the system itself'),
};

const taskEvent = z.object(taskFact);
const endedEvent = z.object({ ...taskFact, assigned_to: uuid.nullable().describe('the last performer, if there was one') });
const dueEvent = z.object({ ...taskFact, assigned_to: uuid.nullable(), due_at: instant });

/**
 * Every event of the suite by its routing key. Unknown fields of a received event are dropped, not refused: within a
 * version events only gain optional fields.
 */
export const events = {
  'auth.user.created': userEvent.describe('A user was created.'),
  'auth.user.changed': userEvent.describe('A user changed; fetch the state to know how.'),
  'auth.user.deleted': userEvent.describe('A user was deleted.'),
  'auth.account.verification_requested': linkEvent.describe('A link is to be mailed that verifies an e-mail address.'),
  'auth.account.password_reset_requested': linkEvent.describe('A link is to be mailed that sets a new password.'),
  'auth.account.email_change_requested': linkEvent.describe(
    'A link is to be mailed that confirms a new e-mail address of an account; until it is used, the old address stays.',
  ),
  'auth.account.email_changed': linkEvent.describe(
    'A user has another e-mail address; a link that undoes the change is to be mailed to the old one.',
  ),
  'auth.account.invitation_requested': z
    .object({
      link_id: uuid.describe('the link; GET /account_links/{id} has it'),
      invited_by: uuid.describe('the user who invites'),
      timestamp: instant.describe('when it was asked for'),
    })
    .describe('An invitation is to be mailed to somebody who has no account yet.'),
  'auth.account.access_ended': z
    .object({
      user_id: uuid.describe('the user'),
      timestamp: instant.describe('when; access tokens that were issued before are to be refused'),
    })
    .describe('All access that a user was given before has ended: by a lower role, a new password, a log-out everywhere.'),
  'auth.account.password_changed': z
    .object({ user_id: uuid.describe('the user'), timestamp: instant.describe('when it was committed') })
    .describe('A user has another password; all access from before has ended.'),
  'auth.account.role_changed': z
    .object({ ...accountFact, actor: accountActor, role: z.string().describe('the role that the user has now') })
    .describe('A user has another role.'),
  'auth.account.deleted': z
    .object({
      ...accountFact,
      actor: accountActor,
      restorable_until: instant.nullable().describe('until when an admin can restore the account; null for never'),
    })
    .describe('An account was deleted, and its former owner is to be notified.'),
  'auth.account.restored': z
    .object({ ...accountFact, actor: accountActor })
    .describe('A deleted account was restored.'),
  'auth.account.admin_added': z
    .object({
      ...accountFact,
      user_id: uuid.describe('the admin to notify; each other admin has an event of their own'),
      admin_id: uuid.describe('the user who is an admin now'),
      actor: accountActor,
    })
    .describe('Somebody became an admin: by creation, a change of role or a restoration.'),
  'tasks.task.created': taskEvent.describe('A task was created.'),
  'tasks.task.changed': taskEvent.describe('A field of a task changed; also for a new task, after created.'),
  'tasks.task.deleted': taskEvent.describe('A task was deleted.'),
  'tasks.task.assigned': z
    .object({ ...taskFact, assigned_to: uuid.describe('the new performer') })
    .describe('A task was given to a performer; also for a new task.'),
  'tasks.task.unassigned': z
    .object({ ...taskFact, unassigned_from: uuid.describe('the performer it was taken from') })
    .describe('A task was taken from a performer.'),
  'tasks.task.started': endedEvent.describe('The performer started a task.'),
  'tasks.task.completed': endedEvent.describe('The performer completed a task.'),
  'tasks.task.cancelled': endedEvent.describe('A task was cancelled.'),
  'tasks.task.due_soon': dueEvent.describe('A task is due soon.'),
  'tasks.task.overdue': dueEvent.describe('A task is past its due date.'),
  'tasks.comment.added': z
    .object({ ...taskFact, comment_uuid: uuid, author: uuid, mentions: z.array(uuid) })
    .describe('Somebody commented on a task.'),
} as const;

/** The routing key of an event, which is also its AMQP `type`. */
export type EventType = keyof typeof events;

/** The payload of an event. */
export type EventPayload<T extends EventType> = z.output<(typeof events)[T]>;

/** The version of the payload schemas, sent as the header `schema_version`. A new version is a new routing-key-compatible schema set. */
export const eventSchemaVersion = 1;

/** The one exchange that all events go through. */
export const eventExchange = 'taskwire.events';
