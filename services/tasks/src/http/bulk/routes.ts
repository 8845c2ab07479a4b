import { tasksRoutes } from '@taskwire/contracts';
import { Problem, problem } from '@taskwire/errors';
import { bind, response, type BoundRoute, type IdempotentRequest, type UserActor } from '@taskwire/http-server';
import { RefusedEarlier, requestOf, type BulkResults } from '../../app/bulk/ports.ts';
import { lookedUp, storeOfOperation, storeWithin, UserNeeded } from '../../app/bulk/stores.ts';
import type { WriteResult } from '../../app/ports.ts';
import type { ActivityReads } from '../../app/activity/ports.ts';
import type { CommentPorts } from '../../app/comments/ports.ts';
import { commentRoutes } from '../comments.ts';
import { readRoutes } from '../reads.ts';
import { writeRoutes, type WritePorts } from '../writes.ts';
import { performOperation, type Operation } from './perform.ts';
import { judgeQueues } from './queues.ts';
import { bodyOf, isPassing, refusalOf, refused, resultOf, textOf, type Result } from './result.ts';

type OperationPorts = WritePorts & CommentPorts;

export type BulkPorts = OperationPorts & {
  activity: ActivityReads;
  bulk: BulkResults;
  /** The epoch of the database, which entity tags contain. */
  sourceEpoch: () => number;
};

type Bulk = {
  actor: UserActor;
  operations: readonly Operation[];
  request: IdempotentRequest | undefined;
  requestId: string;
  epoch: number;
};

export function bulkRoutes(ports: BulkPorts): BoundRoute[] {
  return [
    bind(tasksRoutes.bulkTasks, async ({ actor, body: { atomic, operations }, idempotent: request, requestId }) => {
      const bulk = { actor, operations, request, requestId, epoch: ports.sourceEpoch() };
      const judged = { ...ports, knownQueues: await judgeQueues(ports.knownQueues, actor, operations) };
      if (atomic) {
        const { text, replayed } = await runAtomically(judged, bulk);
        return response(200, bodyOf(text), { replayed });
      }
      const { results, replayed } = await runSeparately(judged, bulk);
      return response(200, bodyOf(textOf(results)), { replayed });
    }),
  ];
}

/** No operation is begun after this time, in milliseconds: the gateway waits for 30 s, and one operation takes a few seconds at most. */
const longestMs = 15_000;

/** Carries out the operations one after the other, except those that were carried out under the same key. */
async function runSeparately(ports: BulkPorts, bulk: Bulk): Promise<{ results: Result[]; replayed: boolean }> {
  const { operations, request, requestId, epoch } = bulk;
  const stored = request === undefined ? undefined : await ports.bulk.begin(request, operations.length);
  const began = performance.now();
  const results: Result[] = [];
  let isInterrupted = false;
  for (const [index, operation] of operations.entries()) {
    const earlier = stored?.get(index);
    isInterrupted ||= performance.now() - began > longestMs;
    if (earlier !== undefined) results.push(resultOf({ stored: earlier, op: operation.op, epoch, requestId }));
    else if (isInterrupted) results.push(refused(refusalOf(notAttempted(), requestId)));
    else results.push(await attempt(ports, bulk, { index, before: results }));
    isInterrupted ||= (results[index]?.status ?? 0) >= 500;
  }
  return { results, replayed: stored?.size === operations.length };
}

function notAttempted(): Problem {
  return problem(
    'unavailable',
    'This operation was not attempted. Send the request again with the same Idempotency-Key.',
  );
}

type Place = { index: number; before: readonly Result[] };

/** Carries out one operation, and stores its result if the request has a key. */
async function attempt(
  ports: BulkPorts,
  { actor, operations, request, requestId, epoch }: Bulk,
  { index, before }: Place,
): Promise<Result> {
  const operation = operations[index] as Operation;
  const own = request && requestOf(request, index);
  try {
    const tasks = storeOfOperation(ports.tasks, own);
    const routes = [
      ...readRoutes({ tasks, activity: ports.activity, publishedEpoch: () => epoch }),
      ...operationRoutes({ ...ports, tasks }),
    ];
    return await performOperation(routes, operation, { actor, epoch, before });
  } catch (error) {
    if (error instanceof RefusedEarlier) return refused(error.refusal);
    if (!(error instanceof Problem)) throw error;
    const refusal = refusalOf(error, requestId);
    if (request === undefined || isPassing(error)) return refused(refusal);
    const stored = await ports.bulk.refuse(request, index, refusal);
    return resultOf({ stored, op: operation.op, epoch, requestId });
  }
}

/** The routes that serve the operations by themselves. */
function operationRoutes(ports: OperationPorts): BoundRoute[] {
  return [...writeRoutes(ports), ...commentRoutes(ports)];
}

type AtomicResult = WriteResult<(typeof tasksRoutes.bulkTasks.responses)[200]>;

/** Carries out all operations in one transaction. @throws Problem `bulk_aborted` that names the first operation that was refused. */
async function runAtomically(ports: BulkPorts, bulk: Bulk): Promise<AtomicResult> {
  const { actor, operations, request } = bulk;
  for (const { op } of operations) {
    if (op === 'create') ports.creations.take(actor.id);
    if (op === 'comment') ports.commenting.take(actor.id);
  }
  const users = lookedUp(ports.users);
  for (;;) {
    try {
      return await ports.tasks.once<(typeof tasksRoutes.bulkTasks.responses)[200]>(request, async (tx) => {
        await ports.tasks.lockForOperations(tx, locksOf(operations));
        const tasks = storeWithin(ports.tasks, tx);
        const within = { ...ports, tasks, users, creations: counted, commenting: counted };
        return { text: textOf(await performAll(within, bulk)) };
      });
    } catch (error) {
      if (!(error instanceof UserNeeded)) throw error;
      await error.lookUp();
    }
  }
}

/** Counts creations and comments before the transaction, because the transaction may run again. */
const counted = { take: () => undefined, size: () => 0 };

async function performAll(ports: OperationPorts, { actor, operations, epoch }: Bulk): Promise<Result[]> {
  const routes = operationRoutes(ports);
  const before: Result[] = [];
  for (const [index, operation] of operations.entries()) {
    try {
      before.push(await performOperation(routes, operation, { actor, epoch, before }));
    } catch (error) {
      throw error instanceof Problem && error.status < 500 ? aborted(index, error) : error;
    }
  }
  return before;
}

function aborted(index: number, { status, code, detail, errors }: Problem): Problem {
  return problem('bulk_aborted', `The operation ${index} failed with ${code}: ${detail}`, {
    ...(errors && { errors: errors.map((one) => ({ ...one, field: pathOf(index, one.field) })) }),
    members: { index, cause: { status, code, detail } },
  });
}

/** The path of a field of an operation: all but `other_id` are in its body, which a fault of the whole body names. */
function pathOf(index: number, field: string): string {
  if (field === 'other_id') return `operations.${index}.other_id`;
  return `operations.${index}.body${field === '' ? '' : `.${field}`}`;
}

function locksOf(operations: readonly Operation[]): { ids: string[]; assigns: boolean; links: boolean } {
  return {
    ids: operations.flatMap(({ id, other_id: other }) => [id, other]).filter((one) => one !== undefined),
    assigns: operations.some(({ body }) => body?.['assign'] !== undefined),
    links: operations.some(changesGraph),
  };
}

/** Whether an operation locks the graph of tasks: a deletion, a restoration and a move to another project take the tasks below along. */
function changesGraph({ op, parent_ref: parentRef, body }: Operation): boolean {
  if (op === 'delete' || op === 'restore' || op === 'block' || parentRef !== undefined) return true;
  return body?.['parent_id'] !== undefined || body?.['project_id'] !== undefined;
}
