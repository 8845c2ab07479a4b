import { createHash, randomBytes } from 'node:crypto';
import type { Express } from 'express';
import { AuthorizationCode } from 'simple-oauth2';
import type { ClientAtWork } from './client-at-work.ts';

/** simple-oauth2, which leaves PKCE and state to the application, with the code of docs/clients.md. */
export function useSimpleOauth2(app: Express, { issuer, clientId, clientSecret, origin }: ClientAtWork): void {
  const client = new AuthorizationCode({
    client: { id: clientId, secret: clientSecret },
    auth: {
      tokenHost: new URL(issuer).origin,
      tokenPath: '/oidc/token',
      revokePath: '/oidc/revoke',
      authorizePath: '/oidc/authorize',
    },
  });
  const redirectUri = `${origin}/callback`;
  const begun = new Map<string, string>();
  app.get('/login', (_request, response) => {
    const [state, verifier] = [randomBytes(16).toString('base64url'), randomBytes(32).toString('base64url')];
    begun.set(state, verifier);
    const parameters = {
      redirect_uri: redirectUri,
      scope: 'openid offline_access tasks:read',
      state,
      prompt: 'consent',
      resource: 'urn:taskwire:tasks',
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    };
    response.redirect(client.authorizeURL(parameters));
  });
  app.get('/callback', async (request, response) => {
    const verifier = begun.get(String(request.query['state']));
    if (verifier === undefined) return void response.status(400).end();
    const parameters = { code: String(request.query['code']), redirect_uri: redirectUri, code_verifier: verifier };
    const token = await client.getToken(parameters);
    const next = await token.refresh();
    await next.revoke('refresh_token');
    response.json({ api: next.token['access_token'] });
  });
}
