import { z } from 'zod';
import { uuid } from '../events/events.ts';
import { largestJobBytes, valuesOfJob } from './job-schemas.ts';
import { problem } from './problem-schema.ts';
import { defineRoute } from './route.ts';
import { task } from './schemas.ts';

/**
 * A client that escapes every non-ASCII character sends six bytes for each UTF-16 unit. A task with the longest title, description and labels
 * then has 67,200 bytes plus punctuation.
 */
export const largestTaskBytes = 72 * 1024;

/** The operations of a bulk request, each with the id of the single operation that it carries out. */
export const bulkOperations = {
  create: 'createTask',
  change: 'changeTask',
  delete: 'deleteTask',
  restore: 'restoreTask',
  assign: 'assignTask',
  transition: 'transitionTask',
} as const;

export type BulkOperation = keyof typeof bulkOperations;

/** About half a second of work. */
const mostOperations = 100;

const operation = z
  .strictObject({
    op: z
      .enum(Object.keys(bulkOperations) as [BulkOperation, ...BulkOperation[]])
      .describe(`what to do: ${Object.entries(bulkOperations).map(([op, id]) => `${op} (\`${id}\`)`).join(', ')}`),
    id: uuid.optional().describe('the task'),
    ref: z
      .string()
      .max(3)
      .regex(/^\$(0|[1-9]\d?)$/, 'must be $ and the index of an earlier operation, for example $0')
      .optional()
      .describe('instead of `id`: the task that an earlier operation creates, for example `$0` for the first operation'),
    if_match: z.string().min(1).max(200).optional().describe('as the header If-Match; `*` if omitted with `ref`'),
    body: z.looseObject({}).optional().describe('as the body of the operation'),
  })
  .refine(({ op, id, ref }) => op === 'create' || (id === undefined) !== (ref === undefined), {
    path: ['id'],
    message: 'must be sent, or ref instead of it',
  })
  .refine(({ op, id, ref }) => op !== 'create' || (id === undefined && ref === undefined), {
    path: ['op'],
    message: 'must not be create with id or ref',
  });

const operations = z
  .array(operation)
  .min(1)
  .max(mostOperations)
  .superRefine((all, { addIssue }) => {
    for (const [index, { ref }] of all.entries()) {
      if (ref === undefined) continue;
      const named = Number(ref.slice(1));
      if (named >= index || all[named]?.op !== 'create')
        addIssue({ code: 'custom', path: [index, 'ref'], message: 'must name an earlier operation that creates a task' });
    }
  });

const result = z.object({
  status: z.int().describe('the status of the operation as a single request'),
  etag: z.string().optional(),
  body: task.optional(),
  problem: problem.extend({ current: z.looseObject({}).optional().describe('as in the problem of the operation') }).optional(),
});

export const bulkRoutes = {
  bulkTasks: defineRoute({
    method: 'post',
    path: '/api/v1/tasks/bulk',
    operationId: 'bulkTasks',
    summary: 'Carry out many operations on tasks',
    description:
      'Each operation commits separately, in order, and has the result of a single request. With `atomic`, all operations are carried out or none: `index` of the problem `bulk_aborted` names the first one that failed. An operation whose `ref` was not created has the problem `dependency_failed`. One Idempotency-Key covers all operations: after an interruption, the same request carries out the rest, and repeats the stored results, refusals included. Results with status 429 or 5xx are not stored, so the same request tries these operations again. After a 5xx, the rest is not attempted.',
    tag: 'Tasks',
    access: { kind: 'user', scopes: ['tasks:write'] },
    body: z.strictObject({ atomic: z.boolean().default(false), operations }),
    maxBodyBytes: largestTaskBytes + largestJobBytes,
    maxBodyValues: valuesOfJob,
    idempotent: true,
    responses: { 200: z.object({ data: z.array(result).describe('the results, in the order of the operations') }) },
    problems: ['bulk_aborted'],
  }),
};
