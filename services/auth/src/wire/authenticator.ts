import { jwtAuthenticator } from '@taskwire/http-server';
import { checkAccess } from '../app/check-access.ts';
import type { Sessions } from '../app/ports/sessions.ts';
import type { Env } from '../env.ts';
import type { SigningKeys } from '../tokens/signing-keys.ts';

/** Auth's own audience. */
const audience = 'urn:taskwire:auth';

/** Auth checks its own tokens with the keys that it signs with. */
export function wireAuthenticator(env: Env, keys: SigningKeys, sessions: Sessions) {
  return jwtAuthenticator({
    ...{ issuer: env.ISSUER, audience, keys },
    checkUser: checkAccess({ sessions, requireVerifiedEmail: env.AUTH_REQUIRE_VERIFIED_EMAIL }),
  });
}
