import { randomUUID } from 'node:crypto';
import { userScopes } from '@taskwire/contracts';
import { SignJWT } from 'jose';
import type { TokenIssuer } from '../app/ports/sessions.ts';
import type { SigningKeys } from './signing-keys.ts';

/** Issues the JSON API's access tokens as JWTs (RFC 9068), for every service at once. They contain every user scope: the front end is our own. */
export function createJwtIssuer(options: { issuer: string; lifetimeSeconds: number; keys: SigningKeys }): TokenIssuer {
  const { issuer, lifetimeSeconds, keys } = options;
  return {
    async issue({ subject, clientId, audience, issuedAt, authenticatedAt, role, emailVerified, sessionId }) {
      const { kid, privateKey } = (await keys.ring()).active;
      const accessToken = await new SignJWT({
        client_id: clientId,
        scope: userScopes.join(' '),
        role,
        email_verified: emailVerified,
        sid: sessionId,
        auth_time: authenticatedAt,
      })
        .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid })
        .setIssuer(issuer)
        .setSubject(subject)
        .setAudience([...audience])
        .setIssuedAt(issuedAt)
        .setExpirationTime(issuedAt + lifetimeSeconds)
        .setJti(randomUUID())
        .sign(privateKey);
      return { accessToken, expiresIn: lifetimeSeconds };
    },
  };
}
