import { z } from 'zod';
import { instant, uuid } from '../events/events.ts';
import { defineRoute } from './route.ts';
import { idParams, listOf, page, position, title } from './schemas.ts';
import { include, searchFields, taskPage, taskSorts } from './task-lists.ts';

const fields = {
  name: title,
  shared: z.boolean().describe('whether all users can read the view'),
  filter: searchFields.filter.unwrap().nullable().describe('the filter of `searchTasks`; `me` is the user who searches'),
  q: searchFields.q.unwrap().nullable(),
  sort: z
    .enum([...taskSorts, 'manual'])
    .nullable()
    .describe('as in `searchTasks`; `manual` is the order that users give to the tasks with `moveTask`, tasks without a position last'),
};

export const view = z.object({
  id: uuid,
  name: z.string(),
  shared: z.boolean(),
  filter: z.looseObject({}).nullable(),
  q: z.string().nullable(),
  sort: z.string().nullable(),
  creator_id: uuid,
  version: z.int(),
  created_at: instant,
  updated_at: instant,
});

const tag = 'Views';
const read = { kind: 'user', scopes: ['tasks:read'], objects: ['everyone'] } as const;
const problems = ['search_too_broad', 'view_too_large', 'search_busy'] as const;

/** Saved searches of users. */
export const viewRoutes = {
  listViews: defineRoute({
    method: 'get',
    path: '/api/v1/views',
    operationId: 'listViews',
    summary: "List the caller's views and the shared ones, newest first",
    tag,
    access: read,
    query: z.strictObject(page),
    responses: { 200: listOf(view) },
    problems: ['bad_cursor'],
  }),
  createView: defineRoute({
    method: 'post',
    path: '/api/v1/views',
    operationId: 'createView',
    summary: 'Save a search',
    description: 'Send `filter`, `q` and `sort` of a view to `searchTasks` to list its tasks. A user can have 100 views.',
    tag,
    access: { kind: 'user', scopes: ['tasks:write'], objects: ['everyone'] },
    body: z.strictObject({
      ...fields,
      shared: fields.shared.default(false),
      filter: fields.filter.default(null),
      q: fields.q.default(null),
      sort: fields.sort.default(null),
    }),
    idempotent: true,
    responses: { 201: view },
    location: '/api/v1/views/{id}',
    etag: true,
    problems: [...problems, 'too_many_views'],
  }),
  listViewTasks: defineRoute({
    method: 'get',
    path: '/api/v1/views/{id}/tasks',
    operationId: 'listViewTasks',
    summary: 'List the tasks of a view, in its order',
    tag,
    access: read,
    params: idParams,
    query: z.strictObject({ ...page, include }),
    responses: { 200: taskPage },
    problems: ['not_found', 'bad_cursor', 'search_busy', 'search_too_broad'],
  }),
  moveTask: defineRoute({
    method: 'post',
    path: '/api/v1/tasks/{id}/move',
    operationId: 'moveTask',
    summary: 'Move a task within a view in manual order',
    description:
      'Puts the task directly before or after another task of the view. The view has to show both. Everyone who can read the view and the task can move it. The version of the task stays the same, and no event is published.',
    tag,
    access: { kind: 'user', scopes: ['tasks:write'], objects: ['everyone'] },
    params: idParams,
    body: z
      .strictObject({
        view_id: uuid.describe('a view with `"sort": "manual"`'),
        before_id: uuid.optional().describe('the task that will follow'),
        after_id: uuid.optional().describe('the task that will precede'),
      })
      .refine(({ before_id, after_id }) => (before_id === undefined) !== (after_id === undefined), {
        path: ['after_id'],
        message: 'must be sent, or before_id instead of it',
      }),
    idempotent: true,
    responses: { 200: z.object({ view_id: uuid, task_id: uuid, position }) },
    problems: ['not_found', 'search_busy'],
  }),
  getView: defineRoute({
    method: 'get',
    path: '/api/v1/views/{id}',
    operationId: 'getView',
    summary: 'Read a view',
    description: 'A view that is not shared exists only for its creator.',
    tag,
    access: read,
    params: idParams,
    responses: { 200: view },
    etag: true,
    storable: true,
    problems: ['not_found'],
  }),
  changeView: defineRoute({
    method: 'patch',
    path: '/api/v1/views/{id}',
    operationId: 'changeView',
    summary: 'Change a view',
    tag,
    access: { kind: 'user', scopes: ['tasks:write'], objects: ['creator'] },
    params: idParams,
    body: z
      .strictObject({
        name: fields.name.optional(),
        shared: fields.shared.optional(),
        filter: fields.filter.optional(),
        q: fields.q.optional(),
        sort: fields.sort.optional(),
      })
      .refine((change) => Object.keys(change).length > 0, 'must have a field to change, for example {"shared": true}'),
    ifMatch: 'required',
    responses: { 200: view },
    etag: true,
    problems: ['not_found', ...problems],
  }),
  deleteView: defineRoute({
    method: 'delete',
    path: '/api/v1/views/{id}',
    operationId: 'deleteView',
    summary: 'Delete a view',
    description: 'Admins can delete shared views of others.',
    tag,
    access: { kind: 'user', scopes: ['tasks:write'], objects: ['admin', 'creator'] },
    params: idParams,
    ifMatch: 'required',
    responses: { 204: null },
    problems: ['not_found'],
  }),
};
