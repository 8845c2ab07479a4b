import { z } from 'zod';
import { instant, uuid } from '../events/events.ts';
import { defineRoute } from './route.ts';
import { longestWaitSeconds, openEnum, person, queryInteger, task } from './schemas.ts';

/** A task as a copy keeps it. It has ids instead of names, which have a separate feed, and no `job`, because a job changes without its task. */
export const syncedTask = task
  .omit({ creator: true, assignee: true, job: true })
  .extend({ job_id: uuid.nullable().describe('the job that carries out the task; null unless kind is job') });

const removed = z.object({ id: uuid, deleted: z.literal(true).describe('remove the row from the copy, if the copy has it') });

const syncQuery = z.strictObject({
  token: z.string().min(1).max(1000).optional().describe('the next_token of the previous page; without it, the feed starts from the beginning'),
  limit: queryInteger(1, 500).default(100).describe('the page size, 1 to 500; the default is 100'),
  wait: queryInteger(0, longestWaitSeconds)
    .default(0)
    .describe(`how many seconds to wait for a change if there is none, up to ${longestWaitSeconds}; the default is 0`),
});

const projectAccess = z.object({
  project_id: uuid,
  access: openEnum(['gained', 'lost']).describe('lost: drop all tasks of the project from the copy; gained: its tasks are in this page and the next ones'),
});

function pageOf<S extends z.ZodType>(item: S) {
  return z.object({
    data: z.array(z.union([item, removed])),
    next_token: z.string().describe('continues after this page; it can be used more than once, by the same user'),
    more: z.boolean().describe('whether another page follows at once, also after one without data'),
    as_of: instant.describe('if `more` is false: the copy has everything whose last change was committed by this time'),
  });
}

const guarantee =
  'Each page has the current state of what changed after the token. Apply the pages in order; an item replaces the one with the same id, and may be repeated. When `more` is false, the copy holds exactly everything whose last change was committed by `as_of`; whatever has changed since follows later, and nothing is skipped. If the token can no longer be continued, the response is 410 `sync_token_expired`: drop the copy and start without a token.';

const common = {
  method: 'get',
  tag: 'Sync',
  access: { kind: 'user', scopes: ['tasks:read'], objects: ['everyone'] },
  query: syncQuery,
  fieldHints: {
    cursor: 'is called token here: the next_token of the previous page',
    next_token: 'is sent as token',
    since: 'is not supported: send the next_token of the previous page as token',
  },
  problems: ['bad_cursor', 'sync_token_expired', 'search_busy'],
} as const;

/** Feeds of changes, from which a client keeps a copy. */
export const syncRoutes = {
  syncTasks: defineRoute({
    ...common,
    path: '/api/v1/sync/tasks',
    operationId: 'syncTasks',
    summary: 'Follow the changes of the tasks that the caller may read',
    description: `${guarantee} A token expires after 120 days without use, when the role of the user changes, and when the database of the service was restored or replaced.`,
    responses: { 200: pageOf(syncedTask).extend({ projects: z.array(projectAccess).describe('apply them before `data`') }) },
  }),
  syncPeople: defineRoute({
    ...common,
    path: '/api/v1/sync/people',
    operationId: 'syncPeople',
    summary: 'Follow the names of users',
    description: `${guarantee} A token expires when the database of the service was restored or replaced.`,
    responses: { 200: pageOf(person) },
  }),
};
