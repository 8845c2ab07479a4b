import type { UserActor } from './access/actor.ts';
import { requireAccess } from './access/requirements.ts';
import { PreserializedJson, type BoundRoute } from './bind.ts';
import { withCurrent } from './current-representation.ts';
import { parseBody, parseInput } from './input.ts';
import { entityTag, readIfMatch } from './preconditions.ts';

/** A request for an operation within the request for another one, such as an item of a bulk request. */
export type InnerRequest = {
  actor: UserActor;
  params: Readonly<Record<string, string>>;
  body: unknown;
  ifMatch: string | undefined;
  /** The epoch of the service's database, which entity tags contain. */
  epoch: number;
};

/** `etag` is as in the header, and `text` is the body as JSON; each is undefined if the response has none. */
export type InnerResponse = { status: number; etag: string | undefined; text: string | undefined };

/**
 * Performs an operation as if it were a single request: access, validity and If-Match are checked in the same way. The handler gets
 * no Idempotency-Key, no query and nothing else of the outer request. `reading` is the operation that reads the same resource.
 * @throws Problem for every refusal.
 */
export async function performInner(
  { route, handle }: BoundRoute,
  { actor, params, body, ifMatch, epoch }: InnerRequest,
  reading?: BoundRoute,
): Promise<InnerResponse> {
  requireAccess(route.access, actor);
  const input = {
    actor,
    params: route.params && parseInput(route.params, params),
    body: parseBody(route, body),
    ifMatch: readIfMatch(route, ifMatch, epoch),
  };
  try {
    const { status, etag: given, body: answer } = await handle(input as never);
    const text = answer instanceof PreserializedJson ? answer.text : JSON.stringify(answer);
    const etag = given === undefined ? undefined : entityTag(given, epoch, text);
    return { status: Number(status), etag, text };
  } catch (error) {
    throw await withCurrent(error, reading, { actor, params });
  }
}
