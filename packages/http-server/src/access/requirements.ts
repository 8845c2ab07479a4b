import type { Access, UserAccess } from '@taskwire/contracts';
import { insufficientScope, onlyInPerson, problem } from '@taskwire/errors';
import type { Actor, UserActor } from './actor.ts';

/** How long a log-in counts as recent, in seconds. OWASP ASVS 3.7.1 requires reauthentication before sensitive changes. */
const recentSeconds = 5 * 60;
/**
 * How far the clock of Auth's database, which sets `auth_time`, may be ahead of this process's clock, in seconds; the same value as for other claims.
 */
const clockAheadSeconds = 5;

/** Refuses an actor that a route's contract does not admit. @throws Problem with status 403. */
export function requireAccess(access: Access, actor: Actor): void {
  if (access.kind === 'anyone') requireSomeUser(actor);
  else if (access.kind === 'service') requireService(access.scope, actor);
  else if (actor.kind === 'user') requireUser(access, actor);
  else if (access.service !== undefined) requireService(access.service, actor);
  else throw problem('forbidden', 'This operation is for users; services have their own operations.');
}

/** If a token is optional, the handler decides what the token permits. */
function requireSomeUser(actor: Actor): void {
  if (actor.kind !== 'user') throw problem('forbidden', 'Send the access token of a user, or none.');
}

function requireUser(access: UserAccess, actor: UserActor): void {
  if (access.firstParty === true && !actor.isFirstParty) throw onlyInPerson();
  if (!access.scopes.some((scope) => actor.scopes.has(scope))) throw insufficientScope(access.scopes);
  if (actor.isRestricted && access.unverified !== true) {
    throw problem(
      'email_not_verified',
      'Use the link in the e-mail that was sent to your address, or request a new one.',
    );
  }
  if (access.roles !== undefined && !access.roles.includes(actor.role)) {
    throw problem('forbidden', `This operation needs the role ${access.roles.join(' or ')}.`);
  }
  if (access.recentLogin === true) requireRecentLogin(actor);
}

function requireService(scope: string, actor: Actor): void {
  if (actor.kind === 'service' && actor.scopes.has(scope)) return;
  throw insufficientScope([scope], 'This operation needs a machine-to-machine token with');
}

/**
 * Step-up: the token must belong to a log-in within the last five minutes. `or` describes another proof that the operation accepts from first-party
 * callers.
 * @throws Problem `reauthentication_required`, with the challenge of RFC 9470 for OAuth clients.
 */
export function requireRecentLogin(actor: UserActor, { or }: { or?: string } = {}): void {
  if (hasRecentLogin(actor)) return;
  const detail = actor.isFirstParty
    ? `${or === undefined ? '' : `${or}, or `}log in again or call POST /api/v1/auth/reauthenticate and repeat the request within five minutes.`
    : `Request authorization again with prompt=login or max_age=${recentSeconds}, and repeat the request with the new token.`;
  throw problem('reauthentication_required', detail.charAt(0).toUpperCase() + detail.slice(1), {
    headers: {
      'WWW-Authenticate': `Bearer error="insufficient_user_authentication", error_description="The log-in is too old", max_age="${recentSeconds}"`,
    },
  });
}

/** Whether the person proved their identity within the last five minutes. A time in the future proves nothing. */
function hasRecentLogin({ authenticatedAt }: UserActor): boolean {
  if (authenticatedAt === undefined) return false;
  const age = (Date.now() - authenticatedAt.getTime()) / 1000;
  return age <= recentSeconds && age >= -clockAheadSeconds;
}
