import { bulkOperations, type tasksRoutes } from '@taskwire/contracts';
import { performInner, readingOf, type BoundRoute, type UserActor } from '@taskwire/http-server';
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
  { op, id, ref, if_match, body }: Operation,
  { actor, epoch, before }: Given,
): Promise<Result> {
  const bound = routes.find(({ route }) => route.operationId === bulkOperations[op]);
  if (bound === undefined) throw new Error(`no route serves ${op}`);
  const target = ref === undefined ? id : createdBy(ref, before);
  const request = {
    ...{ actor, epoch, body },
    params: target === undefined ? {} : { id: target },
    ifMatch: if_match ?? (ref === undefined ? undefined : '*'),
  };
  return { ...(await performInner(bound, request, readingOf(bound, routes))), isRefusal: false };
}

/** The id of the task that an earlier operation created. @throws Problem `dependency_failed` if it did not. */
function createdBy(ref: string, before: readonly Result[]): string {
  const result = before[Number(ref.slice(1))];
  if (result?.text === undefined || result.isRefusal) throw dependencyFailed(ref);
  return (JSON.parse(result.text) as { id: string }).id;
}
