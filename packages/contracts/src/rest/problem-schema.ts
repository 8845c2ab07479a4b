import { z } from 'zod';

export const fieldError = z.object({ field: z.string(), code: z.string(), message: z.string() });

/** A task in a problem that concerns several tasks. */
const relatedTask = z.object({ id: z.string(), title: z.string() });

/** RFC 9457, with Taskwire's extension members: https://www.rfc-editor.org/rfc/rfc9457 */
export const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string(),
  errors: z.array(fieldError).optional(),
  current: z
    .looseObject({ version: z.int() })
    .optional()
    .describe('only with precondition_failed: the current representation of the resource if the caller may read it, or else its version'),
  index: z.int().optional().describe('only with bulk_aborted: the index of the operation that failed'),
  cause: z
    .object({ status: z.int(), code: z.string(), detail: z.string() })
    .optional()
    .describe('only with bulk_aborted: the problem of that operation'),
  tasks: z
    .array(relatedTask)
    .max(20)
    .optional()
    .describe('only with open_subtasks and task_blocked: the open sub-tasks or blockers that the caller may read, at most 20'),
  path: z
    .array(relatedTask)
    .optional()
    .describe(
      'only with task_cycle and dependency_cycle: the tasks of the cycle that the caller may read. Each waits for the next, and the last for the first',
    ),
  task_count: z.int().optional().describe('with `tasks` and `path`: the number of such tasks, including those that the caller may not read'),
  request_id: z.string(),
});
