import { z } from 'zod';
import { instant, uuid } from '../events/events.ts';
import { defineRoute } from './route.ts';
import { idParams, listOf, page, title } from './schemas.ts';
import { searchFields } from './task-lists.ts';

const fields = {
  name: title,
  shared: z.boolean().describe('whether all users can read the view'),
  filter: searchFields.filter.unwrap().nullable().describe('the filter of `searchTasks`; `me` is the user who searches'),
  q: searchFields.q.unwrap().nullable(),
  sort: searchFields.sort.unwrap().nullable(),
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
const problems = ['search_too_broad'] as const;

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
