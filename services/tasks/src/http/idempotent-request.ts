import { createHash } from 'node:crypto';
import type { Route } from '@taskwire/contracts';
import type { IdempotentRequest } from '../app/ports.ts';

type Asked = { actor: { id: string }; params?: unknown; body?: unknown; idempotencyKey: string | undefined };

/**
 * Describes a request with an Idempotency-Key as one to be carried out at most once; undefined without a key. Keys are
 * scoped to the user who sends them. Two requests are the same when operation, path and parsed body match: whitespace,
 * field order and explicitly sent defaults make no difference.
 */
export function idempotentRequest(route: Route, asked: Asked): IdempotentRequest | undefined {
  if (asked.idempotencyKey === undefined) return undefined;
  const identity = JSON.stringify([route.method, route.path, asked.params ?? null, asked.body ?? null]);
  return {
    actorId: asked.actor.id,
    key: asked.idempotencyKey,
    fingerprint: createHash('sha256').update(identity).digest(),
  };
}
