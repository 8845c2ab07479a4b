import { jwtAuthenticator, remoteKeys, type Authenticator } from '@taskwire/http-server';
import type { Telemetry } from '@taskwire/telemetry';

type CheckUser = Parameters<typeof jwtAuthenticator>[0]['checkUser'];

/** Accepts access tokens that Auth issued for an audience. The keys are fetched from Auth, and stay usable through its outages. */
export function remoteAuthenticator(
  env: { ISSUER: string; AUTH_INTERNAL_URL: string },
  { audience, telemetry, checkUser }: { audience: string; telemetry: Telemetry; checkUser: NonNullable<CheckUser> },
): Authenticator {
  const keys = remoteKeys({ url: `${env.AUTH_INTERNAL_URL}/oidc/jwks`, telemetry });
  return jwtAuthenticator({ issuer: env.ISSUER, audience, keys, checkUser });
}
