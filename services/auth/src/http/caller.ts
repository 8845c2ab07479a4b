import { requireRecentLogin, type UserActor } from '@taskwire/http-server';
import { originOf, type RequestFacts } from '../app/origin.ts';
import type { LinkVisitor } from '../app/link-visitor.ts';
import type { Caller } from '../app/read-user.ts';

/** The logged-in caller, and the application acting for them. */
export function callerOf({ actor, ...request }: RequestFacts & { actor: UserActor }): Caller {
  const { id, role, clientId, isFirstParty, isRestricted, scopes, sessionId } = actor;
  return {
    ...{ id, role, clientId, isFirstParty, isRestricted, scopes, sessionId },
    requireRecentLogin: (or) => requireRecentLogin(actor, { or }),
    origin: originOf({ actor, ...request }),
  };
}

/** The visitor using a mailed link, logged in or not. An application acting for a user is not the user. */
export function visitorOf(request: RequestFacts & { actor: UserActor | undefined }): LinkVisitor {
  const { actor } = request;
  return { userId: actor?.isFirstParty === true ? actor.id : undefined, origin: originOf(request) };
}
