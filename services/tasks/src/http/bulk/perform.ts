import { bulkOperations, type tasksRoutes } from '@taskwire/contracts';
import { performInner, readingOf, type BoundRoute, type UserActor } from '@taskwire/http-server';
import { addLogTask } from '@taskwire/telemetry';
import type { z } from 'zod';
import { dependencyFailed, type Result } from './result.ts';

export type BulkBody = z.output<typeof tasksRoutes.bulkTasks.body>;
export type Operation = BulkBody['operations'][number];

type Given = { actor: UserActor; epoch: number; before: readonly Result[] };

/**
 * Carries out an operation with the route that serves single requests, so each rule exists once. `before` are the results of earlier operations. A
 * failed precondition has the current representation if `routes` has the route that reads it.
 * @throws Problem for every refusal.
 */
export async function performOperation(
  routes: readonly BoundRoute[],
  operation: Operation,
  { actor, epoch, before }: Given,
): Promise<Result> {
  const { op, if_match, ref } = operation;
  const bound = routes.find(({ route }) => route.operationId === bulkOperations[op]);
  if (bound === undefined) throw new Error(`no route serves ${op}`);
  const request = {
    ...{ actor, epoch, body: bodyOf(operation, before) },
    params: paramsOf(operation, before),
    ifMatch: if_match ?? (ref === undefined ? undefined : '*'),
  };
  if (request.params.id !== undefined) addLogTask(request.params.id);
  const result = await performInner(bound, request, readingOf(bound, routes));
  if (op === 'create' && result.text !== undefined) addLogTask(idIn(result.text));
  return { ...result, isRefusal: false };
}

type Params = { id?: string; other_id?: string };

function paramsOf({ id, ref, other_id, other_ref }: Operation, before: readonly Result[]): Params {
  const target = ref === undefined ? id : createdBy(ref, before);
  const other = other_ref === undefined ? other_id : createdBy(other_ref, before);
  return { ...(target !== undefined && { id: target }), ...(other !== undefined && { other_id: other }) };
}

function bodyOf({ parent_ref, body }: Operation, before: readonly Result[]): unknown {
  return parent_ref === undefined ? body : { ...body, parent_id: createdBy(parent_ref, before) };
}

/** The id of the task that an earlier operation created. @throws Problem `dependency_failed` if it did not. */
function createdBy(ref: string, before: readonly Result[]): string {
  const result = before[Number(ref.slice(1))];
  if (result?.text === undefined || result.isRefusal) throw dependencyFailed(ref);
  return idIn(result.text);
}

function idIn(task: string): string {
  return (JSON.parse(task) as { id: string }).id;
}
