import { createPublicKey } from 'node:crypto';
import { errors as joseErrors, jwtVerify, type JWTPayload } from 'jose';
import { z } from 'zod';
import type { KeyRing } from '../app/ports/signing-keys.ts';

/** Returns the claims of one of our access tokens if it hasn't expired; undefined for anything else. */
export type VerifyAccessToken = (token: string) => Promise<JWTPayload | undefined>;

/** A user's claims. A token whose subject equals its client belongs to that client (RFC 9068 section 2.2). */
export const userClaims = z.object({ sub: z.string(), sid: z.string(), iat: z.number() });

export function accessTokenVerifier(issuer: string, ring: KeyRing): VerifyAccessToken {
  const keys = new Map(ring.keys.map(({ publicJwk, privateKey }) => [publicJwk.kid, createPublicKey(privateKey)]));
  const keyOf = ({ kid = '' }: { kid?: string | undefined }) => {
    const key = keys.get(kid);
    if (key === undefined) throw new joseErrors.JWKSNoMatchingKey();
    return key;
  };
  const requiredClaims = ['sub', 'aud', 'exp', 'iat', 'client_id'];
  const checks = { issuer, typ: 'at+jwt', algorithms: ['ES256'], requiredClaims };
  return async (token) => {
    const verified = await jwtVerify(token, keyOf, checks).catch((error: unknown) => {
      if (error instanceof joseErrors.JOSEError || error instanceof TypeError) return undefined;
      throw error;
    });
    return verified?.payload;
  };
}
