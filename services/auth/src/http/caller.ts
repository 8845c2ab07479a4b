import type { UserActor } from '@taskwire/http-server';
import { originOf, type RequestFacts } from '../app/origin.ts';
import type { Caller } from '../app/read-user.ts';

/** The logged-in user that asks. */
export function callerOf({ actor, ...request }: RequestFacts & { actor: UserActor }): Caller {
  return { id: actor.id, role: actor.role, origin: originOf(request) };
}
