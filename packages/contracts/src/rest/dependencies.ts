import { z } from 'zod';
import { uuid } from '../events/events.ts';
import { defineRoute } from './route.ts';
import { idParams, reasonText, taskState } from './schemas.ts';

/** The parent of a new or changed task. */
export const parentId = uuid.describe(
  'the task of which this is a sub-task: a task for people that has not ended. A tree has at most 5 levels, and a task at most 500 open sub-tasks',
);

/** The body of a transition. With it, managers and admins can override open blockers and open sub-tasks. */
export const transition = z
  .strictObject({
    state: taskState,
    force: z.boolean().optional().describe('true: completes the task although it has open sub-tasks, which stay open; only for managers and admins'),
    override_blocked: z
      .boolean()
      .optional()
      .describe('true: starts or completes the task although it is blocked; only for managers and admins, with a `reason`'),
    reason: reasonText.optional().describe('why the state changes, shown as `why` in the activity of the task; required with `override_blocked`'),
  })
  .refine(({ state, force }) => force !== true || state === 'completed', {
    path: ['force'],
    message: 'must only be sent with "state": "completed"',
  })
  .refine(({ state, override_blocked: isOverridden }) => isOverridden !== true || state === 'in_progress' || state === 'completed', {
    path: ['override_blocked'],
    message: 'must only be sent with "state": "in_progress" or "completed"',
  })
  .refine(({ override_blocked: isOverridden, reason }) => isOverridden !== true || reason !== undefined, {
    path: ['reason'],
    message: 'must say why the task may be started or completed although it is blocked',
  });

const params = idParams.extend({ other_id: uuid });
const tag = 'Dependencies';
const access = { kind: 'user', scopes: ['tasks:write'], objects: ['admin', 'manager', 'creator', 'lead', 'contributor'] } as const;

/** Dependencies between tasks. */
export const dependencyRoutes = {
  addBlocker: defineRoute({
    method: 'put',
    path: '/api/v1/tasks/{id}/blocked_by/{other_id}',
    operationId: 'addBlocker',
    summary: 'Let a task wait for another task',
    description:
      'The task cannot be started or completed until the other task has been completed, cancelled or deleted. A task has at most 100 blockers, and blocks at most 100 tasks. The version of both stays the same.',
    tag,
    access,
    params,
    responses: { 204: null },
    problems: ['not_found', 'project_archived', 'dependency_cycle', 'too_many_links', 'illegal_transition'],
  }),
  removeBlocker: defineRoute({
    method: 'delete',
    path: '/api/v1/tasks/{id}/blocked_by/{other_id}',
    operationId: 'removeBlocker',
    summary: 'Let a task no longer wait for another task',
    tag,
    access,
    params,
    responses: { 204: null },
    problems: ['not_found', 'project_archived'],
  }),
};
