import { hash } from 'node:crypto';
import type { IdempotentRequest } from '../../app/ports.ts';
import { uuidFrom } from '../../domain/uuid.ts';

/** The namespace of these ids, so that no other use of SHA-256 produces the same id. */
const nameSpace = 'taskwire client ';

/**
 * Keys are stored by the id of the user. A service has a name instead, so it gets the UUID of that name: version 8 (RFC 9562 section 5.8), which no user
 * has.
 */
export function storedRequest(
  actor: { kind: 'user' } | { kind: 'service'; clientId: string },
  request: IdempotentRequest | undefined,
): IdempotentRequest | undefined {
  if (request === undefined || actor.kind === 'user') return request;
  return { ...request, actorId: uuidFrom(hash('sha256', nameSpace + actor.clientId), 8) };
}
