import { z } from 'zod';
import { instant, uuid } from '../events/events.ts';
import { defineRoute } from './route.ts';
import { activity, idParams, listOf, page, person } from './schemas.ts';

/** Why a task has its assignee; each field is null for a task without one. */
const assignmentExplanation = z.object({
  task_id: uuid,
  assignee: person.nullable(),
  assigned_at: instant.nullable(),
  actor: person.nullable().describe('who assigned the task; null for the system'),
  reason: z.string().nullable().describe('an explanation of the service, as a sentence; null if a user chose the assignee'),
  why: z.string().nullable().describe('the reason that the user gave'),
  performers: z.int().nullable().describe('the number of performers to choose from; null unless the service chose by the number of open tasks'),
  candidates: z
    .array(person.extend({ open_tasks: z.int() }))
    .nullable()
    .describe('at most 30 performers, those with the fewest open tasks at that moment; null unless the service chose by the number of open tasks'),
});

const common = {
  method: 'get',
  tag: 'Tasks',
  access: { kind: 'user', scopes: ['tasks:read'], objects: ['reader'] },
} as const;

const leftOut = 'Entries from the time when a task was in a project that the caller may not read are left out.';

/** The activity log of tasks. */
export const activityRoutes = {
  listActivity: defineRoute({
    ...common,
    path: '/api/v1/tasks/{id}/activity',
    operationId: 'listActivity',
    summary: 'List the activity of a task, oldest first',
    description: leftOut,
    params: idParams,
    query: z.strictObject(page),
    responses: { 200: listOf(activity) },
    problems: ['not_found', 'bad_cursor'],
  }),
  listAllActivity: defineRoute({
    ...common,
    access: { kind: 'user', scopes: ['tasks:read'], objects: ['everyone'] },
    path: '/api/v1/activity',
    operationId: 'listAllActivity',
    summary: 'List the activity of all tasks that the caller may read, newest first',
    description: `The activity of deleted tasks is left out. ${leftOut}`,
    query: z.strictObject(page),
    responses: { 200: listOf(activity) },
    problems: ['bad_cursor', 'search_busy'],
  }),
  whyAssigned: defineRoute({
    ...common,
    path: '/api/v1/tasks/{id}/why_assigned',
    operationId: 'whyAssigned',
    summary: 'Explain why the task has its assignee',
    description: 'For a random assignment, with the candidates and the number of open tasks that they had at that moment. If the task was assigned in a project that the caller may not read, only the assignee is shown.',
    params: idParams,
    responses: { 200: assignmentExplanation },
    problems: ['not_found'],
  }),
};
