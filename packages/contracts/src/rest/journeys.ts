import { z } from 'zod';
import { instant, uuid } from '../events/events.ts';
import { defineRoute } from './route.ts';
import { listOf, page } from './schemas.ts';

const access = { kind: 'user', scopes: ['admin'], roles: ['admin'] } as const;
const tag = 'Journeys';
const params = z.strictObject({ task_id: uuid });

const message = {
  message_id: uuid.describe('the id of the event, the same in every service'),
  event: z.string().describe('for example tasks.task.assigned'),
  request_id: z.string().nullable().describe('the request that caused the event; null if a timer of the service did'),
};

const failure = {
  attempts: z.int().describe('attempts that failed, and the running one'),
  next_attempt_at: instant.nullable(),
  last_error: z.string().nullable(),
};

const comment = uuid.nullable().describe('the comment that the event is about; null for any other event');

/** The journey of one event of a task, of its comments or of its job, from the request to the broker. */
export const eventJourney = z.object({
  ...message,
  comment_id: comment,
  job_id: uuid.nullable().describe('the job that the event is about; null for any other event'),
  trace_id: z.string().nullable(),
  requested_at: instant.nullable().describe('when the request arrived at Tasks'),
  created_at: instant.describe('when the event was stored in the outbox, together with the change'),
  published_at: instant.nullable().describe('when the event was published; after repeated attempts, the one that was confirmed'),
  confirmed_at: instant.nullable().describe('when the broker confirmed that it has stored the event'),
  state: z
    .enum(['waiting', 'retry', 'blocked', 'confirmed'])
    .describe('waiting: for the relay; retry: it could not be published; blocked: an earlier event of the task, the comment or the job could not be published'),
  ...failure,
});

const delivery = z.object({
  id: uuid,
  channel: z.string(),
  state: z.enum(['pending', 'sending', 'sent', 'failed', 'skipped', 'unknown']),
  next_attempt_at: instant.nullable(),
  attempts: z.array(
    z.object({
      number: z.int(),
      started_at: instant,
      handed_over_at: instant.nullable().describe('from this time on, the message may have arrived'),
      ended_at: instant.nullable(),
      outcome: z.string().nullable().describe('null while the attempt is running'),
      detail: z.string().nullable(),
    }),
  ),
});

/** The journey of one event of a task or of its comments through Notifications. */
export const notificationJourney = z.object({
  ...message,
  comment_id: comment,
  created_at: instant.nullable().describe('when Tasks stored the event'),
  published_at: instant.nullable().describe('when Tasks published the copy of the message that was consumed first'),
  consumed_at: instant.describe('when Notifications received the message from its queue'),
  state: z
    .enum(['done', 'running', 'retry', 'waiting', 'dead', 'dropped'])
    .describe('waiting: for an earlier event of the task or comment; dead, dropped: a dead letter'),
  ...failure,
  notifications: z
    .array(z.object({ id: uuid, user_id: uuid.nullable(), type: z.string(), planned_at: instant, deliveries: z.array(delivery) }))
    .describe('empty if the event notifies no one, for example because the performer assigned the task'),
});

const description =
  'All times come from the database clock of the service that took the step, to the microsecond. Events are listed for seven days.';

/** Shows where the events of a task, of its comments and of its job are, up to the broker. */
export const taskJourneyRoutes = {
  listTaskJourney: defineRoute({
    method: 'get',
    path: '/api/v1/admin/journeys/tasks/{task_id}',
    operationId: 'listTaskJourney',
    summary: 'List the events of a task, of its comments and of its job with their times from request to broker, oldest first',
    description,
    tag,
    access,
    params,
    query: z.strictObject(page),
    responses: { 200: listOf(eventJourney) },
    problems: ['not_found', 'bad_cursor'],
  }),
};

/** Shows where the events of a task and of its comments are, from the broker to their recipients. */
export const notificationJourneyRoutes = {
  listNotificationJourney: defineRoute({
    method: 'get',
    path: '/api/v1/admin/journeys/notifications/{task_id}',
    operationId: 'listNotificationJourney',
    summary: 'List the events of a task and of its comments with their times from broker to recipients, oldest first',
    description: `${description} The id of a comment gives the events of this comment alone. The list is empty if Notifications has received no event of either.`,
    tag,
    access,
    params,
    query: z.strictObject(page),
    responses: { 200: listOf(notificationJourney) },
    problems: ['bad_cursor'],
  }),
};

export type NotificationJourney = z.output<typeof notificationJourney>;
