import { z } from 'zod';
import { uuid } from '../events/events.ts';
import { defineRoute } from './route.ts';
import { idParams, internalTask } from './schemas.ts';

/** As many ids as fit a URL that every intermediary accepts. */
const severalIds = z
  .string()
  .regex(/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(,[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}){0,49}$/, 'must be at most 50 ids, separated by commas')
  .transform((given) => given.toLowerCase().split(','));

/** The operations with which services read tasks. */
export const internalTaskRoutes = {
  getInternalTask: defineRoute({
    method: 'get',
    path: '/tasks/{id}',
    operationId: 'getInternalTask',
    summary: 'Read a task, for services',
    tag: 'Internal',
    access: { kind: 'service', scope: 'tasks:read' },
    params: idParams,
    responses: { 200: internalTask },
    etag: true,
    problems: ['not_found', 'gone'],
  }),
  getInternalTasks: defineRoute({
    method: 'get',
    path: '/tasks',
    operationId: 'getInternalTasks',
    summary: 'Read several tasks, for services',
    description: '`data` has the tasks that exist, and `deleted` the ids of deleted tasks, both in any order. All other ids are unknown.',
    tag: 'Internal',
    access: { kind: 'service', scope: 'tasks:read' },
    query: z.strictObject({ ids: severalIds.describe('the ids of the tasks, separated by commas') }),
    responses: { 200: z.object({ data: z.array(internalTask), deleted: z.array(uuid) }) },
  }),
};
