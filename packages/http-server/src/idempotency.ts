import { createHash } from 'node:crypto';
import type { Route } from '@taskwire/contracts';
import type { Actor } from './access/actor.ts';

/** A request with an Idempotency-Key, to be carried out at most once. Keys are scoped to their callers. */
export type IdempotentRequest = {
  /** The id of the user or service that sent the request. */
  actorId: string;
  key: string;
  /** SHA-256 of operation, path and body. Two requests with the same key and different fingerprints are different requests. */
  fingerprint: Buffer;
};

/**
 * Describes a request with an Idempotency-Key. Two requests are the same when operation, path and parsed body match: whitespace, field order and
 * explicitly sent defaults make no difference.
 */
export function idempotentRequest(
  route: Route,
  { key, actor, params, body }: { key: string; actor: Actor; params: unknown; body: unknown },
): IdempotentRequest {
  const identity = JSON.stringify([route.method, route.path, params ?? null, body ?? null]);
  return {
    actorId: actor.kind === 'user' ? actor.id : actor.clientId,
    key,
    fingerprint: createHash('sha256').update(identity).digest(),
  };
}

/** @throws Error for a route that accepts an Idempotency-Key from anonymous callers: their keys could collide. */
export function requireCallersOfIdempotentRoute({ operationId, idempotent, access }: Route): void {
  if (idempotent === true && access.kind === 'anyone') {
    throw new Error(`${operationId} accepts an Idempotency-Key, so its callers must be authenticated`);
  }
}
