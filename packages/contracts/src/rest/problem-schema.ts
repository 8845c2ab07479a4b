import { z } from 'zod';

export const fieldError = z.object({ field: z.string(), code: z.string(), message: z.string() });

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
  request_id: z.string(),
});
