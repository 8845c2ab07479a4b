import { z } from 'zod';
import { uuid } from '../events/events.ts';
import { comment } from './comments.ts';
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
  comment: 'addComment',
  block: 'addBlocker',
  unblock: 'removeBlocker',
} as const;

export type BulkOperation = keyof typeof bulkOperations;

/** About half a second of work. */
const mostOperations = 100;

const reference = z
  .string()
  .max(3)
  .regex(/^\$(0|[1-9]\d?)$/, 'must be $ and the index of an earlier operation, for example $0')
  .optional();

const hasOther = (op: BulkOperation) => op === 'block' || op === 'unblock';
const hasParent = (op: BulkOperation) => op === 'create' || op === 'change';
const isOneOf = (one: unknown, other: unknown) => (one === undefined) !== (other === undefined);

const operation = z
  .strictObject({
    op: z
      .enum(Object.keys(bulkOperations) as [BulkOperation, ...BulkOperation[]])
      .describe(`what to do: ${Object.entries(bulkOperations).map(([op, id]) => `${op} (\`${id}\`)`).join(', ')}`),
    id: uuid.optional().describe('the task'),
    ref: reference.describe('instead of `id`: the task that an earlier operation creates, for example `$0` for the first operation'),
    other_id: uuid.optional().describe('for block and unblock: the task that it waits for'),
    other_ref: reference.describe('instead of `other_id`: the task that an earlier operation creates'),
    parent_ref: reference.describe('for create and change, instead of `parent_id` in `body`: the task that an earlier operation creates'),
    if_match: z.string().min(1).max(200).optional().describe('as the header If-Match; `*` if omitted with `ref`'),
    body: z.looseObject({}).optional().describe('as the body of the operation'),
  })
  .refine(({ op, id, ref }) => op === 'create' || isOneOf(id, ref), {
    path: ['id'],
    message: 'must be sent, or ref instead of it',
  })
  .refine(({ op, id, ref }) => op !== 'create' || (id === undefined && ref === undefined), {
    path: ['op'],
    message: 'must not be create with id or ref',
  })
  .refine(({ op, other_id: other, other_ref: ref }) => !hasOther(op) || isOneOf(other, ref), {
    path: ['other_id'],
    message: 'must be sent, or other_ref instead of it',
  })
  .refine(({ op, other_id: other, other_ref: ref }) => hasOther(op) || (other === undefined && ref === undefined), {
    path: ['op'],
    message: 'must be block or unblock if other_id or other_ref is sent',
  })
  .refine(({ op, parent_ref: ref }) => ref === undefined || hasParent(op), {
    path: ['op'],
    message: 'must be create or change if parent_ref is sent',
  })
  .refine(({ parent_ref: ref, body }) => ref === undefined || body?.['parent_id'] === undefined, {
    path: ['parent_ref'],
    message: 'must not be combined with parent_id',
  });

const operations = z
  .array(operation)
  .min(1)
  .max(mostOperations)
  .superRefine((all, { addIssue }) => {
    for (const [index, one] of all.entries())
      for (const field of ['ref', 'other_ref', 'parent_ref'] as const) {
        const named = one[field] === undefined ? undefined : Number(one[field].slice(1));
        if (named === undefined || (named < index && all[named]?.op === 'create')) continue;
        addIssue({ code: 'custom', path: [index, field], message: 'must name an earlier operation that creates a task' });
      }
  });

const result = z.object({
  status: z.int().describe('the status of the operation as a single request'),
  etag: z.string().optional(),
  body: z.union([task, comment]).optional().describe('the task, or the comment of the operation comment'),
  problem: problem.extend({ current: z.looseObject({}).optional().describe('as in the problem of the operation') }).optional(),
});

export const bulkRoutes = {
  bulkTasks: defineRoute({
    method: 'post',
    path: '/api/v1/tasks/bulk',
    operationId: 'bulkTasks',
    summary: 'Carry out many operations on tasks',
    description:
      'Each operation commits separately, in order, and has the result of a single request. With `atomic`, all operations are carried out or none: `index` of the problem `bulk_aborted` names the first one that failed. An operation that refers to a task which was not created has the problem `dependency_failed`. One Idempotency-Key covers all operations: after an interruption, the same request carries out the rest, and repeats the stored results, refusals included. Results with status 429 or 5xx are not stored, so the same request tries these operations again. After a 5xx, the rest is not attempted.',
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
