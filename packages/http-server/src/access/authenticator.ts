import { problem, type Problem } from '@taskwire/errors';
import { firstPartyClient, schemas, userScopes, uuid, type Role, type UserScope } from '@taskwire/contracts';
import { errors, jwtVerify, type JWTPayload } from 'jose';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import type { Actor, ServiceActor, UserActor } from './actor.ts';
import type { KeySource } from './keys.ts';

/**
 * Identifies the sender of an `Authorization` header. @throws Problem with status 401 if the sender cannot be identified, or 503 if tokens cannot be
 * verified now.
 */
export type Authenticator = { authenticate(authorization: string | undefined): Promise<Actor> };

/** The claims of an access token about a user. */
export type UserClaims = {
  userId: string;
  role: Role;
  /** Whether the address was verified when the token was issued; undefined in a token of an earlier version of Auth. */
  emailVerified: boolean | undefined;
  sessionId: string | undefined;
  issuedAt: Date;
};

export type JwtAuthenticatorOptions = {
  issuer: string;
  /** This service's own audience (RFC 8707); tokens for any other audience are rejected. */
  audience: string;
  keys: KeySource;
  /**
   * Looks up the user in the service's own data, for each request: the current role and whether the account may only access itself, or 'revoked' if
   * access has ended. May fall back to the claims for a user who is not known yet.
   */
  checkUser(claims: UserClaims): Promise<UserStanding | 'revoked'>;
};

/** A service's knowledge of a user. `isRestricted`: the account may only access itself; false when absent. */
export type UserStanding = { role: Role; isRestricted?: boolean };

/** The tolerated clock difference between two machines, in seconds. */
const clockTolerance = 5;
/**
 * The number of verified tokens kept in the cache, so that a signature is checked only once and not for every request; each token takes about 1 kB.
 */
const cachedTokens = 5_000;
/** How long a verified token is cached, in milliseconds: a withdrawn key takes effect within this time. */
const cacheMs = 60_000;
/** Longer texts are not Taskwire tokens (about 700 characters) and are not worth parsing. */
const longestToken = 4_096;

const userClaims = z.object({
  sub: uuid,
  role: schemas.role,
  email_verified: z.boolean().optional(),
  sid: z.string().optional(),
  iat: z.number(),
  client_id: z.string().min(1),
  scope: z.string().default(''),
  auth_time: z.number().optional(),
});
const serviceClaims = z.object({
  sub: z.string().min(1),
  client_id: z.string().min(1),
  scope: z.string().default(''),
  queues: z.array(z.string()).default([]),
});

/**
 * Verifies bearer tokens (RFC 6750) that are JWT access tokens (RFC 9068): type `at+jwt`, an asymmetric algorithm that fits the key, and valid
 * issuer, audience and times. A token whose `sub` is its `client_id` belongs to a service (RFC 9068 section 2.2), any other to a user.
 */
export function jwtAuthenticator(options: JwtAuthenticatorOptions): Authenticator {
  const verified = new LRUCache<string, Verified>({ max: cachedTokens, ttl: cacheMs });

  async function verify(token: string): Promise<Verified> {
    const { payload } = await jwtVerify(token, (header) => verificationKey(options.keys, header.kid), {
      issuer: options.issuer,
      audience: options.audience,
      typ: 'at+jwt',
      algorithms: ['ES256', 'EdDSA'],
      requiredClaims: ['sub', 'exp', 'iat'],
      clockTolerance,
    });
    return toVerified(payload);
  }

  return {
    async authenticate(authorization) {
      const token = bearerToken(authorization);
      let known = verified.get(token);
      if (known === undefined || known.expiresAt <= Date.now()) {
        known = await verify(token).catch((error: unknown) => {
          throw refusal(error);
        });
        verified.set(token, known);
      }
      if ('actor' in known) return known.actor;
      const current = await options.checkUser(known.claims);
      if (current === 'revoked') {
        throw problem('access_revoked', 'Log in again.', { headers: challenge('invalid_token', 'access has ended') });
      }
      return { ...known.identity, role: current.role, isRestricted: current.isRestricted === true };
    },
  };
}

/** The contents of a valid token. Claims about a user must still be checked against the user's current state. */
type Verified = { expiresAt: number } & ({ actor: ServiceActor } | { claims: UserClaims; identity: TokenIdentity });

/** The part of the actor that the token alone determines. */
type TokenIdentity = Omit<UserActor, 'role' | 'isRestricted'>;

function toVerified(payload: JWTPayload): Verified {
  const expiresAt = (payload.exp ?? 0) * 1000;
  if (payload.sub === payload['client_id']) {
    const claims = serviceClaims.safeParse(payload);
    if (!claims.success) throw invalid('The access token lacks a required claim.');
    const { client_id: clientId, scope, queues } = claims.data;
    const scopes = new Set(scope.split(' ').filter(Boolean));
    return { expiresAt, actor: { kind: 'service', clientId, scopes, queues } };
  }
  const claims = userClaims.safeParse(payload);
  if (!claims.success) throw invalid('The access token lacks a required claim.');
  const { sub: userId, role, email_verified: emailVerified, sid: sessionId, iat } = claims.data;
  return {
    expiresAt,
    claims: { userId, role, emailVerified, sessionId, issuedAt: new Date(iat * 1000) },
    identity: toIdentity(claims.data),
  };
}

function toIdentity({
  sub,
  sid,
  client_id: clientId,
  scope,
  auth_time: at,
}: z.output<typeof userClaims>): TokenIdentity {
  const isFirstParty = clientId === firstPartyClient;
  const granted = new Set(scope.split(' '));
  return {
    kind: 'user',
    id: sub,
    sessionId: sid,
    clientId,
    isFirstParty,
    scopes: isFirstParty ? everyScope : new Set(userScopes.filter((known) => granted.has(known))),
    authenticatedAt: at === undefined ? undefined : new Date(at * 1000),
  };
}

/** The scopes of the product's own front end. Its tokens also list them, for other verifiers of tokens. */
const everyScope: ReadonlySet<UserScope> = new Set(userScopes);

async function verificationKey(keys: KeySource, kid: string | undefined) {
  // a key id is a name, not a location: only keys in the list are used
  const key = kid === undefined || kid.length > 200 ? undefined : await keys.keyFor(kid);
  if (key === undefined) throw new errors.JWKSNoMatchingKey();
  return key;
}

function bearerToken(authorization: string | undefined): string {
  if (authorization === undefined) throw unauthenticated();
  const match = /^Bearer +([\w-]+\.[\w-]+\.[\w-]+) *$/i.exec(authorization);
  if (match?.[1] === undefined || match[1].length > longestToken)
    throw invalid('The Authorization header must be: Bearer <access token>.');
  return match[1];
}

function unauthenticated(): Problem {
  return problem('unauthenticated', 'Send an access token: Authorization: Bearer <access token>.', {
    headers: { 'WWW-Authenticate': 'Bearer' },
  });
}

function invalid(detail: string, cause?: unknown): Problem {
  return problem('invalid_token', detail, { cause, headers: challenge('invalid_token', 'not valid') });
}

function refusal(error: unknown): unknown {
  if (error instanceof errors.JWTExpired) {
    return problem('token_expired', 'Obtain a new access token with the refresh token.', {
      headers: challenge('invalid_token', 'expired'),
    });
  }
  return error instanceof errors.JOSEError || error instanceof TypeError
    ? invalid('The access token is not valid for this service.', error)
    : error;
}

/** RFC 6750 section 3. */
function challenge(error: string, description: string): Record<string, string> {
  return { 'WWW-Authenticate': `Bearer error="${error}", error_description="${description}"` };
}
