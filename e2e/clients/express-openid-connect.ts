import type { Express } from 'express';
import oidc from 'express-openid-connect';
import type { ClientAtWork } from './client-at-work.ts';

/** express-openid-connect. The lines of docs/clients.md. */
export function useExpressOpenidConnect(app: Express, { issuer, clientId, clientSecret, origin }: ClientAtWork): void {
  app.use(
    oidc.auth({
      issuerBaseURL: issuer,
      baseURL: origin,
      clientID: clientId,
      clientSecret,
      secret: clientSecret,
      idTokenSigningAlg: 'ES256',
      authRequired: false,
      authorizationParams: {
        response_type: 'code',
        scope: 'openid profile email tasks:read',
        resource: 'urn:taskwire:tasks',
      },
    }),
  );
  app.get('/me', (request, response) =>
    response.json({ ...request.oidc.user, api: request.oidc.accessToken?.access_token }),
  );
}
