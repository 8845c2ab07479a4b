import type { UserActor } from '@taskwire/http-server';
import type { Origin } from '../app/audit.ts';
import { deviceProofOf } from '../app/device-proofs.ts';
import type { Caller } from '../app/read-user.ts';

type Request = { ip: string; headers: Readonly<Record<string, string | string[] | undefined>>; requestId: string };

/** Where a request comes from; `ip` is what a trusted proxy says. */
export function originOf({ ip, headers, requestId }: Request): Origin {
  const userAgent = headers['user-agent'];
  return {
    ip,
    userAgent: typeof userAgent === 'string' ? userAgent : null,
    requestId,
    deviceProof: deviceProofOf(headers['cookie'] as string | undefined),
  };
}

/** The logged-in user that asks. */
export function callerOf({ actor, ...request }: Request & { actor: UserActor }): Caller {
  return { id: actor.id, role: actor.role, origin: originOf(request) };
}
