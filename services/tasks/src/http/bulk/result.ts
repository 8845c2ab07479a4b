import { bulkOperations, tasksRoutes, type BulkOperation, type JsonText, type Route } from '@taskwire/contracts';
import { problem, type Problem } from '@taskwire/errors';
import { PreserializedJson, problemDocument, representationTag, type InnerResponse } from '@taskwire/http-server';
import type { Refusal, StoredResult } from '../../app/bulk/ports.ts';

/** The result of an operation: its response, or the problem with which it was refused. */
export type Result = InnerResponse & { isRefusal: boolean };

export function refused({ status, text }: Refusal): Result {
  return { status, text, etag: undefined, isRefusal: true };
}

export function refusalOf(error: Problem, requestId: string): Refusal {
  return { status: error.status, text: JSON.stringify(problemDocument(error, requestId).body) };
}

/** Whether the same operation may have another outcome later although nothing else has changed, so that its refusal must not be stored. */
export function isPassing({ status, code }: Problem): boolean {
  return status >= 500 || status === 429 || code === 'idempotency_in_progress' || code === 'dependency_failed';
}

type Stored = { stored: StoredResult; op: BulkOperation; epoch: number; requestId: string };

/** The stored result of an operation. */
export function resultOf({ stored: { status, version, text, isHidden }, op, epoch, requestId }: Stored): Result {
  if (isHidden) {
    const hidden = problem('not_found', 'You can no longer read the result of this operation.');
    return refused(refusalOf(hidden, requestId));
  }
  if (status !== undefined) return refused({ status, text });
  const route: Route = tasksRoutes[bulkOperations[op]];
  const [success] = Object.keys(route.responses);
  const etag = version === undefined ? undefined : representationTag({ version, epoch }, text);
  return { status: Number(success), etag, text: text === '' ? undefined : text, isRefusal: false };
}

export function dependencyFailed(ref: string): Problem {
  return problem(
    'dependency_failed',
    `The operation ${ref.slice(1)} did not create the task to which this one refers.`,
  );
}

const responseSchema = tasksRoutes.bulkTasks.responses[200];

/** The response to a bulk request, as JSON text. */
export function textOf(results: readonly Result[]): JsonText<typeof responseSchema> {
  const items = results.map(({ status, etag, text, isRefusal }) => {
    const head = JSON.stringify({ status, etag });
    return text === undefined ? head : `${head.slice(0, -1)},"${isRefusal ? 'problem' : 'body'}":${text}}`;
  });
  return `{"data":[${items.join(',')}]}` as JsonText<typeof responseSchema>;
}

export function bodyOf(text: JsonText<typeof responseSchema>): PreserializedJson<typeof responseSchema> {
  return new PreserializedJson(responseSchema, text);
}
