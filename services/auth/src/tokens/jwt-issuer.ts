import { randomUUID } from 'node:crypto';
import { SignJWT } from 'jose';
import type { TokenIssuer } from '../app/ports.ts';
import type { SigningKeys } from './signing-keys.ts';

/** Access tokens as JWTs of RFC 9068. */
export function createJwtIssuer(options: { issuer: string; lifetimeSeconds: number; keys: SigningKeys }): TokenIssuer {
  const { issuer, lifetimeSeconds, keys } = options;
  return {
    async issue({ subject, clientId, audience, scope, issuedAt, session }) {
      const { kid, privateKey } = await keys.active();
      const claims = {
        client_id: clientId,
        scope,
        ...(session === undefined ? {} : { role: session.role, sid: session.sessionId }),
      };
      const accessToken = await new SignJWT(claims)
        .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid })
        .setIssuer(issuer)
        .setSubject(subject)
        .setAudience(typeof audience === 'string' ? audience : [...audience])
        .setIssuedAt(issuedAt)
        .setExpirationTime(issuedAt + lifetimeSeconds)
        .setJti(randomUUID())
        .sign(privateKey);
      return { accessToken, expiresIn: lifetimeSeconds };
    },
  };
}
