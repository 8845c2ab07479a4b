import { createHash } from 'node:crypto';
import type { Route } from '@taskwire/contracts';
import type { IdempotentRequest } from '../app/ports.ts';

type Asked = { actor: { id: string }; params?: unknown; body?: unknown; idempotencyKey: string | undefined };

/**
 * The request as one that is carried out at most once, if it has an Idempotency-Key. Keys belong to the user who sends them. Requests are the
 * same when operation, path and body are, the body as the contract reads it: spaces and the order of fields do not count, nor does a default
 * that is spelled out.
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
