import { z } from 'zod';
import { instant, uuid } from '../events/events.ts';
import { defineRoute } from './route.ts';
import { duration } from './schedule-schemas.ts';
import { description, idParams, labels, line, listOf, page, priority, task, title } from './schemas.ts';

/** Enough for 100 tasks with descriptions of 800 characters, or a few with the longest. */
export const largestTemplateBytes = 512 * 1024;

const taskFields = {
  title: title.describe('may have placeholders such as {{customer}}, also in the description'),
  description: description.default(''),
  priority: priority.default('normal'),
  labels: labels.default([]),
  due_in: duration.nullable().default(null).describe('the due date, counted from the creation of the task, in UTC'),
};
const index = z.int().min(0).max(99);

const rootTask = z.strictObject(taskFields);
const subtasks = z
  .array(
    z.strictObject({
      ...taskFields,
      parent: index.default(0).describe('the task above it: 0 for `task`, n for the n-th of `subtasks`, which must come before it'),
    }),
  )
  .max(99)
  .describe('the tasks below `task`');
const blocks = z
  .array(z.strictObject({ blocker: index, blocked: index }))
  .max(1_000)
  .describe('which tasks wait for which: 0 for `task`, n for the n-th of `subtasks`');

const content = { name: title, shared: z.boolean().describe('whether all users can read and use the template'), task: rootTask, subtasks, blocks };

const shownTask = z.object({ title: z.string(), description: z.string(), priority, labels: z.array(z.string()), due_in: z.string().nullable() });

export const taskTemplate = z.object({
  id: uuid,
  name: z.string(),
  shared: z.boolean(),
  task: shownTask,
  subtasks: z.array(shownTask.extend({ parent: z.int() })),
  blocks: z.array(z.object({ blocker: z.int(), blocked: z.int() })),
  creator_id: uuid,
  version: z.int(),
  created_at: instant,
  updated_at: instant,
});

const tag = 'Templates';
const read = { kind: 'user', scopes: ['tasks:read'], objects: ['everyone'] } as const;

/** Templates of tasks with their sub-tasks. */
export const templateRoutes = {
  listTaskTemplates: defineRoute({
    method: 'get',
    path: '/api/v1/task_templates',
    operationId: 'listTaskTemplates',
    summary: "List the caller's templates and the shared ones, newest first",
    tag,
    access: read,
    query: z.strictObject(page),
    responses: { 200: listOf(taskTemplate) },
    problems: ['bad_cursor'],
  }),
  createTaskTemplate: defineRoute({
    method: 'post',
    path: '/api/v1/task_templates',
    operationId: 'createTaskTemplate',
    summary: 'Save a template of a task with sub-tasks',
    description: 'The tasks and their dependencies are checked now, by the rules for tasks. A user can have 100 templates.',
    tag,
    access: { kind: 'user', scopes: ['tasks:write'], objects: ['everyone'] },
    body: z.strictObject({
      ...content,
      shared: content.shared.default(false),
      subtasks: subtasks.default([]),
      blocks: blocks.default([]),
    }),
    maxBodyBytes: largestTemplateBytes,
    maxBodyValues: 10_000,
    idempotent: true,
    responses: { 201: taskTemplate },
    location: '/api/v1/task_templates/{id}',
    etag: true,
    problems: ['dependency_cycle', 'too_many_links', 'too_many_templates'],
  }),
  getTaskTemplate: defineRoute({
    method: 'get',
    path: '/api/v1/task_templates/{id}',
    operationId: 'getTaskTemplate',
    summary: 'Read a template',
    description: 'A template that is not shared exists only for its creator.',
    tag,
    access: read,
    params: idParams,
    responses: { 200: taskTemplate },
    etag: true,
    storable: true,
    problems: ['not_found'],
  }),
  changeTaskTemplate: defineRoute({
    method: 'patch',
    path: '/api/v1/task_templates/{id}',
    operationId: 'changeTaskTemplate',
    summary: 'Change a template',
    description: 'Tasks that were created from it stay as they are.',
    tag,
    access: { kind: 'user', scopes: ['tasks:write'], objects: ['creator'] },
    params: idParams,
    body: z
      .strictObject({
        name: content.name.optional(),
        shared: content.shared.optional(),
        task: content.task.optional(),
        subtasks: content.subtasks.optional(),
        blocks: content.blocks.optional(),
      })
      .refine((change) => Object.keys(change).length > 0, 'must have a field to change, for example {"shared": true}'),
    maxBodyBytes: largestTemplateBytes,
    maxBodyValues: 10_000,
    ifMatch: 'required',
    responses: { 200: taskTemplate },
    etag: true,
    problems: ['not_found', 'dependency_cycle', 'too_many_links'],
  }),
  deleteTaskTemplate: defineRoute({
    method: 'delete',
    path: '/api/v1/task_templates/{id}',
    operationId: 'deleteTaskTemplate',
    summary: 'Delete a template',
    description: 'Admins can delete shared templates of others.',
    tag,
    access: { kind: 'user', scopes: ['tasks:write'], objects: ['admin', 'creator'] },
    params: idParams,
    ifMatch: 'required',
    responses: { 204: null },
    problems: ['not_found'],
  }),
  instantiateTaskTemplate: defineRoute({
    method: 'post',
    path: '/api/v1/task_templates/{id}/instantiate',
    operationId: 'instantiateTaskTemplate',
    summary: 'Create the tasks of a template',
    description:
      'Creates all tasks with their dependencies as drafts of the caller, or none of them. Each placeholder of the template needs a value.',
    tag,
    access: { kind: 'user', scopes: ['tasks:write'], objects: ['everyone'] },
    params: idParams,
    body: z.strictObject({
      values: z
        .record(z.string().regex(/^\w{1,50}$/), line.min(1).max(200))
        .describe('the values of the placeholders, by name'),
      project_id: uuid.nullable().optional().describe('the project of the tasks; null for tasks that every user reads'),
    }),
    idempotent: true,
    responses: { 201: z.object({ id: uuid.describe('the task that `task` describes'), data: z.array(task).describe('all tasks, in the order of the template') }) },
    location: '/api/v1/tasks/{id}',
    problems: ['not_found', 'unknown_project', 'project_archived'],
  }),
};
