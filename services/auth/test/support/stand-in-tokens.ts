import type { Role } from '@taskwire/contracts';
import { SignJWT } from 'jose';
import { createSealedKeys } from '../../src/postgres/signing-key-rows.ts';
import { createSigningKeys } from '../../src/tokens/signing-keys.ts';
import type { AuthHarness } from './auth-harness.ts';

type Claims = {
  sub: string;
  client_id: string;
  aud: string;
  iss?: string;
  role?: Role;
  sid?: string;
  scope?: string;
  auth_time?: number;
  iat?: number;
  exp?: number;
};

/** Signs any claims that a test needs with the service's signing key. */
export async function signed(
  harness: AuthHarness,
  { iat = Math.floor(Date.now() / 1000), exp = iat + 600, iss = 'http://localhost:8080/oidc', ...claims }: Claims,
  header: Record<string, unknown> = {},
): Promise<string> {
  const secret = Buffer.from(harness.settings['KEY_ENCRYPTION_SECRET'] ?? '', 'base64');
  const { active } = await createSigningKeys(createSealedKeys(harness.database.db), secret).ring();
  const { kid, privateKey } = active;
  return await new SignJWT({ ...claims, iss, iat, exp })
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid, ...header })
    .sign(privateKey);
}
