import type { UserActor } from '@taskwire/http-server';
import { originOf, type RequestFacts } from '../app/origin.ts';
import type { Caller } from '../app/read-user.ts';

/** The logged-in user who calls, and the application that acts for them. */
export function callerOf({ actor, ...request }: RequestFacts & { actor: UserActor }): Caller {
  return {
    id: actor.id,
    role: actor.role,
    clientId: actor.clientId,
    isFirstParty: actor.isFirstParty,
    mayAdminister: actor.scopes.has('admin'),
    origin: originOf(request),
  };
}
