import { hasVisibleCharacter, mentionsIn } from '@taskwire/text';
import { z } from 'zod';
import { instant, uuid } from '../events/events.ts';
import { commentHints } from './field-hints.ts';
import { defineRoute } from './route.ts';
import { idParams, listOf, page, person, prose } from './schemas.ts';

/** The maximum number of users whom one comment mentions: each may get an e-mail. */
const mostMentions = 50;

const body = prose
  .max(10_000, { abort: true })
  .refine(hasVisibleCharacter, { message: 'must have a visible character', params: { code: 'nothing_visible' }, abort: true })
  .refine((text) => mentionsIn(text).length <= mostMentions, `must mention at most ${mostMentions} users`)
  .describe('plain text; a user is mentioned with `<@` and `>` around the id');

export const comment = z.object({
  id: uuid,
  task_id: uuid,
  author_id: uuid,
  author: person,
  body: z.string(),
  mentions: z.array(person).describe('the mentioned users, in the order of their first mention'),
  version: z.int().describe('the version of the comment; the version of its task stays the same'),
  created_at: instant,
  updated_at: instant,
});

const commentParams = idParams.extend({ comment_id: uuid });
const tag = 'Comments';
const read = { kind: 'user', scopes: ['tasks:read'], objects: ['reader'] } as const;

/** Comments on tasks. */
export const commentRoutes = {
  listComments: defineRoute({
    method: 'get',
    path: '/api/v1/tasks/{id}/comments',
    operationId: 'listComments',
    summary: 'List the comments of a task, oldest first',
    tag,
    access: read,
    params: idParams,
    query: z.strictObject(page),
    responses: { 200: listOf(comment) },
    problems: ['not_found', 'bad_cursor'],
  }),
  addComment: defineRoute({
    method: 'post',
    path: '/api/v1/tasks/{id}/comments',
    operationId: 'addComment',
    summary: 'Add a comment to a task',
    description:
      'Notifies the mentioned users, and the creator and the assignee of the task. The version of the task stays the same.',
    tag,
    access: { kind: 'user', scopes: ['tasks:write'], objects: ['writer'] },
    params: idParams,
    body: z.strictObject({ body }),
    fieldHints: commentHints,
    idempotent: true,
    responses: { 201: comment },
    location: '/api/v1/tasks/{task_id}/comments/{id}',
    etag: true,
    problems: ['not_found', 'project_archived', 'unknown_mention'],
  }),
  getComment: defineRoute({
    method: 'get',
    path: '/api/v1/tasks/{id}/comments/{comment_id}',
    operationId: 'getComment',
    summary: 'Read a comment',
    tag,
    access: read,
    params: commentParams,
    responses: { 200: comment },
    etag: true,
    storable: true,
    problems: ['not_found'],
  }),
  changeComment: defineRoute({
    method: 'patch',
    path: '/api/v1/tasks/{id}/comments/{comment_id}',
    operationId: 'changeComment',
    summary: 'Change a comment',
    description: 'Notifies only users whom the comment did not mention before.',
    tag,
    access: { kind: 'user', scopes: ['tasks:write'], objects: ['author'] },
    params: commentParams,
    body: z.strictObject({ body }),
    fieldHints: commentHints,
    ifMatch: 'required',
    responses: { 200: comment },
    etag: true,
    problems: ['not_found', 'project_archived', 'unknown_mention'],
  }),
  deleteComment: defineRoute({
    method: 'delete',
    path: '/api/v1/tasks/{id}/comments/{comment_id}',
    operationId: 'deleteComment',
    summary: 'Delete a comment',
    description: 'The text is deleted permanently; the activity log records only the deletion.',
    tag,
    access: { kind: 'user', scopes: ['tasks:write'], objects: ['admin', 'author'] },
    params: commentParams,
    ifMatch: 'required',
    responses: { 204: null },
    problems: ['not_found', 'project_archived'],
  }),
};
