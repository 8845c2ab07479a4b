import { z } from 'zod';
import { uuid } from '../events/events.ts';
import { activityRoutes } from './activity.ts';
import { bulkRoutes, largestTaskBytes } from './bulk.ts';
import { commentRoutes } from './comments.ts';
import { deadLetterRoutes } from './dead-letters.ts';
import { dependencyRoutes, parentId, transition } from './dependencies.ts';
import { taskJourneyRoutes } from './journeys.ts';
import { dueAllDay, newDueDateFields, remindBefore, timeZone } from './due-dates.ts';
import { assignmentHints, changedTaskHints, newTaskHints, taskFilterHints, transitionHints } from './field-hints.ts';
import { internalTaskRoutes } from './internal-tasks.ts';
import { largestJobBytes, newJob, valuesOfJob } from './job-schemas.ts';
import { jobsRoutes } from './jobs.ts';
import { defineRoute } from './route.ts';
import { include, labelInUse, labelListQuery, taskListQuery, taskPage, taskSearch, taskSuggestion, taskSuggestionQuery } from './task-lists.ts';
import { projectRoutes } from './projects.ts';
import { scheduleRoutes } from './schedules.ts';
import { description, givenInstant, idParams, labels, listOf, priority, readTask, reasonText, task, taskKinds, title } from './schemas.ts';
import { syncRoutes } from './sync.ts';
import { templateRoutes } from './templates.ts';
import { viewRoutes } from './views.ts';

/** A reason that a user gives. */
const reason = reasonText.optional().describe('shown as `why` in the activity of the task');

const assignment = z.union(
  [z.strictObject({ assignee_id: uuid, reason }), z.strictObject({ assign: z.literal('random'), reason })],
  'must be {"assign": "random"}, or have the id of a user, for example {"assignee_id": "019a9d5e-71aa-7b3c-8d4e-5f6a7b8c9d0e"}',
);

/** Tasks' REST API. */
export const tasksRoutes = {
  listTasks: defineRoute({
    method: 'get',
    path: '/api/v1/tasks',
    operationId: 'listTasks',
    summary: 'List tasks, newest first unless sorted otherwise',
    description:
      'Lists are pages in the order of `sort`; a task that changes its place while pages are read may be missed or repeated. A list with many filters or a rare order may need too much time in a large installation; the response is then 503 `search_busy`.',
    tag: 'Tasks',
    access: { kind: 'user', scopes: ['tasks:read'], objects: ['everyone'] },
    query: taskListQuery,
    fieldHints: taskFilterHints,
    responses: { 200: taskPage },
    problems: ['bad_cursor', 'search_busy', 'search_too_broad'],
  }),
  searchTasks: defineRoute({
    method: 'post',
    path: '/api/v1/tasks/search',
    operationId: 'searchTasks',
    summary: 'Search for tasks with a tree of conditions',
    description:
      'For filters that the parameters of `listTasks` cannot express. Changes nothing. A fault in `filter` is named by the path to its node, for example `filter.and.0.value`. Pages continue with the same body and the `next_cursor` as `cursor`.',
    tag: 'Tasks',
    access: { kind: 'user', scopes: ['tasks:read'], objects: ['everyone'] },
    body: taskSearch,
    repeatable: true,
    responses: { 200: taskPage },
    problems: ['bad_cursor', 'search_busy', 'search_too_broad'],
  }),
  suggestTasks: defineRoute({
    method: 'get',
    path: '/api/v1/tasks/suggest',
    operationId: 'suggestTasks',
    summary: 'Suggest tasks by a part of their title',
    description: 'The ten tasks whose titles contain the text or are similar to it, the most similar first. Case and accents do not matter. Suggestions follow changes within two seconds.',
    tag: 'Tasks',
    access: { kind: 'user', scopes: ['tasks:read'], objects: ['everyone'] },
    query: taskSuggestionQuery,
    responses: { 200: z.object({ data: z.array(taskSuggestion) }) },
    problems: ['search_busy'],
  }),
  listLabels: defineRoute({
    method: 'get',
    path: '/api/v1/labels',
    operationId: 'listLabels',
    summary: 'List the labels in use, with the number of their tasks',
    description: 'Sorted by character codes, so upper case comes before lower case. Deleted tasks are not counted.',
    tag: 'Tasks',
    access: { kind: 'user', scopes: ['tasks:read'], objects: ['everyone'] },
    query: labelListQuery,
    responses: { 200: listOf(labelInUse) },
    problems: ['bad_cursor', 'search_busy'],
  }),
  createTask: defineRoute({
    method: 'post',
    path: '/api/v1/tasks',
    operationId: 'createTask',
    summary: 'Create a task',
    description:
      'With `assignee_id` or `assign: "random"`, the task is assigned at once; only managers and admins may send these, or the leads of the project. A task of kind `job` is carried out by a worker and never has an assignee; only managers and admins may create one. Its job is enqueued with it: a worker that starts the job starts the task, and its success completes the task. If another job holds the `unique` key, the response is 409 `job_exists`, whatever `on_conflict` says.',
    tag: 'Tasks',
    access: { kind: 'user', scopes: ['tasks:write'] },
    body: z
      .strictObject({
        title,
        description: description.default(''),
        priority: priority.default('normal'),
        due_at: givenInstant.nullable().default(null),
        ...newDueDateFields,
        labels: labels.default([]),
        project_id: uuid.nullable().optional().describe('the project of the task; null for a task that every user reads. If omitted: that of its parent, or null'),
        assignee_id: uuid.optional(),
        assign: z.literal('random').optional(),
        parent_id: parentId.optional(),
        kind: z.enum(taskKinds).optional().describe('task if omitted'),
        job: newJob.optional().describe('the job of a task of kind `job`, as `enqueueJob` takes it'),
      })
      .refine((body) => body.assignee_id === undefined || body.assign === undefined, {
        path: ['assign'],
        message: 'must not be combined with assignee_id',
      })
      .refine((body) => (body.kind === 'job') === (body.job !== undefined), {
        path: ['job'],
        message: 'must be sent with "kind": "job", and only with it',
      })
      .refine((body) => body.kind !== 'job' || (body.assignee_id === undefined && body.assign === undefined), {
        path: ['kind'],
        message: 'must be task for an assignee: a worker carries out a task of kind job',
      }),
    fieldHints: newTaskHints,
    maxBodyBytes: largestTaskBytes + largestJobBytes,
    maxBodyValues: valuesOfJob,
    idempotent: true,
    responses: { 201: task },
    location: '/api/v1/tasks/{id}',
    etag: true,
    problems: [
      ...(['unknown_assignee', 'ineligible_assignee', 'no_performers', 'job_exists', 'illegal_transition'] as const),
      ...(['unknown_queue', 'unknown_project', 'project_archived', 'other_project', 'unknown_parent', 'too_many_links'] as const),
    ],
  }),
  getTask: defineRoute({
    method: 'get',
    path: '/api/v1/tasks/{id}',
    operationId: 'getTask',
    summary: 'Read a task',
    description:
      'With `at`, the task as it was at that time: its fields, state and assignee come from the activity log; the names of users and the job are the current ones. A task that was created later, or was deleted at that time, is not found; a task that is deleted now is not found at any time. A response with `stats` has no ETag; `stats` describe the present, so `include` cannot be combined with `at`.',
    tag: 'Tasks',
    access: { kind: 'user', scopes: ['tasks:read'], objects: ['reader'] },
    params: idParams,
    query: z.strictObject({ include, at: givenInstant.optional().describe('the instant as of which the task is read') }),
    responses: { 200: readTask },
    etag: true,
    storable: true,
    problems: ['not_found'],
  }),
  changeTask: defineRoute({
    method: 'patch',
    path: '/api/v1/tasks/{id}',
    operationId: 'changeTask',
    summary: 'Change fields of a task',
    description:
      'Moving a task out of its project needs a lead, a manager or an admin; moving it into a project needs a contributor or lead of that project, a manager or an admin. Its sub-tasks move with it. If the assignee is neither a contributor nor a lead of the new project, the task is reassigned.',
    tag: 'Tasks',
    access: { kind: 'user', scopes: ['tasks:write'], objects: ['admin', 'manager', 'creator', 'lead', 'contributor'] },
    params: idParams,
    body: z
      .strictObject({
        title: title.optional(),
        description: description.optional(),
        priority: priority.optional(),
        due_at: givenInstant.nullable().optional(),
        due_time_zone: timeZone.nullable().optional(),
        due_all_day: dueAllDay.optional(),
        remind_before: remindBefore.optional(),
        labels: labels.optional(),
        parent_id: parentId.nullable().optional(),
        project_id: uuid.nullable().optional().describe('another project, to which the task is moved with its sub-tasks; null to take it out of its project'),
      })
      .refine((change) => Object.keys(change).length > 0, 'must have a field to change, for example {"title": "Paint the fence"}'),
    fieldHints: changedTaskHints,
    maxBodyBytes: largestTaskBytes,
    ifMatch: 'required',
    responses: { 200: task },
    etag: true,
    problems: [
      ...(['not_found', 'unknown_project', 'project_archived', 'other_project', 'subtree_too_large'] as const),
      ...(['unknown_parent', 'task_cycle', 'dependency_cycle', 'too_many_links', 'illegal_transition'] as const),
    ],
  }),
  deleteTask: defineRoute({
    method: 'delete',
    path: '/api/v1/tasks/{id}',
    operationId: 'deleteTask',
    summary: 'Delete a task',
    description:
      'An open task is unassigned first. The job of a task of kind `job` is cancelled. The sub-tasks are deleted too, at most 1,000 tasks at once. The task can be restored for 30 days, or as long as the operator has set.',
    tag: 'Tasks',
    access: { kind: 'user', scopes: ['tasks:write'], objects: ['admin', 'manager', 'creator', 'lead', 'contributor'] },
    params: idParams,
    ifMatch: 'required',
    responses: { 204: null },
    problems: ['not_found', 'project_archived', 'subtree_too_large'],
  }),
  restoreTask: defineRoute({
    method: 'post',
    path: '/api/v1/tasks/{id}/restore',
    operationId: 'restoreTask',
    summary: 'Restore a deleted task',
    description:
      'The task is assigned to its former assignee again, and starts over if it was in progress. If they can no longer carry out tasks, it becomes a draft that is assigned to a performer automatically. A task of kind `job` whose job had not ended is cancelled, as its job was. A task that is not deleted stays as it is. Tasks that were deleted together are restored together; while a task above them is deleted, the response is 422 `illegal_transition`. A sub-task whose parent was moved to another project stays in its own, without a parent. An open sub-task whose parent was completed or cancelled is restored without a parent, too. While its parent has 500 open sub-tasks, the response is 422 `too_many_links`. `listTasks` with `deleted=true` lists what can be restored.',
    tag: 'Tasks',
    access: { kind: 'user', scopes: ['tasks:write'], objects: ['admin', 'manager', 'creator', 'lead', 'contributor'] },
    params: idParams,
    ifMatch: 'optional',
    idempotent: true,
    responses: { 200: task },
    etag: true,
    problems: ['not_found', 'project_archived', 'illegal_transition', 'too_many_links'],
  }),
  assignTask: defineRoute({
    method: 'post',
    path: '/api/v1/tasks/{id}/assign',
    operationId: 'assignTask',
    summary: 'Assign a task to a given or a randomly chosen performer',
    description: 'A random assignment chooses among the performers with the fewest open tasks, for a task in a project among its contributors and leads. No one else can be assigned a task in a project.',
    tag: 'Tasks',
    access: { kind: 'user', scopes: ['tasks:write'], objects: ['admin', 'manager', 'lead'] },
    params: idParams,
    body: assignment,
    fieldHints: assignmentHints,
    ifMatch: 'optional',
    idempotent: true,
    responses: { 200: task },
    etag: true,
    problems: ['not_found', 'project_archived', 'illegal_transition', 'unknown_assignee', 'ineligible_assignee', 'no_performers'],
  }),
  transitionTask: defineRoute({
    method: 'post',
    path: '/api/v1/tasks/{id}/transition',
    operationId: 'transitionTask',
    summary: 'Start, complete or cancel a task',
    description:
      'A task in a project is started and completed by its assignee while they are a contributor or lead of the project. A blocked task can be neither started nor completed, and a task with open sub-tasks cannot be completed, unless a manager or admin overrides that. A task of kind `job` can only be cancelled, together with its job. If a worker has the job, it sees `cancel_requested` with its next heartbeat, and the job ends as cancelled however the worker settles it.',
    tag: 'Tasks',
    access: {
      ...{ kind: 'user', scopes: ['tasks:write'] },
      objects: {
        in_progress: ['assignee'],
        completed: ['assignee'],
        cancelled: ['admin', 'manager', 'creator', 'lead', 'contributor'],
        override_blocked: ['admin', 'manager'],
        force: ['admin', 'manager'],
      },
    },
    params: idParams,
    body: transition,
    fieldHints: transitionHints,
    ifMatch: 'optional',
    idempotent: true,
    responses: { 200: task },
    etag: true,
    problems: ['not_found', 'project_archived', 'illegal_transition', 'open_subtasks', 'task_blocked'],
  }),
  shuffleTasks: defineRoute({
    method: 'post',
    path: '/api/v1/tasks/shuffle',
    operationId: 'shuffleTasks',
    summary: 'Reassign all open tasks at random',
    description: 'Open tasks are distributed evenly among the performers, those of each project among its contributors and leads.',
    tag: 'Tasks',
    access: { kind: 'user', scopes: ['admin'], roles: ['admin', 'manager'] },
    idempotent: true,
    responses: { 200: z.object({ open: z.int(), reassigned: z.int() }) },
    problems: ['no_performers'],
  }),
  ...internalTaskRoutes,
  ...activityRoutes,
  ...bulkRoutes,
  ...commentRoutes,
  ...dependencyRoutes,
  ...jobsRoutes,
  ...scheduleRoutes,
  ...viewRoutes,
  ...templateRoutes,
  ...projectRoutes,
  ...syncRoutes,
  ...deadLetterRoutes('tasks'),
  ...taskJourneyRoutes,
};
