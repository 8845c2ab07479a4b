import { createPrivateKey } from 'node:crypto';
import { privateKeyJwt } from '@taskwire/http-client';
import type { Suite } from '../infra/local/suite.ts';

/** A token of one service for another, obtained in the same way as by the service itself. */
export async function serviceTokenOf(
  suite: Suite,
  service: 'tasks' | 'notifications',
  audience: string,
  scope: string,
): Promise<string> {
  const { id: clientId, issuer, privateKey } = suite.m2mClient(service);
  const tokenUrl = `${suite.serviceUrl('auth')}/oidc/token`;
  const proof = await privateKeyJwt({ clientId, issuer, privateKey: createPrivateKey(privateKey) })(tokenUrl);
  const response = await fetch(tokenUrl, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'client_credentials', resource: audience, scope, ...proof.parameters }),
  });
  if (response.status !== 200) throw new Error(`no token: ${response.status} ${await response.text()}`);
  return ((await response.json()) as { access_token: string }).access_token;
}
