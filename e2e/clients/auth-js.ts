import { Auth, type AuthConfig } from '@auth/core';
import type { OIDCConfig } from '@auth/core/providers';
import type { RequestHandler } from 'express';
import type { ClientAtWork } from './client-at-work.ts';

/** Auth.js (NextAuth), with the code of docs/clients.md. */
export function authJs({ issuer, clientId, clientSecret }: ClientAtWork): RequestHandler {
  const taskwire: OIDCConfig<Record<string, string>> = {
    id: 'taskwire',
    name: 'Taskwire',
    type: 'oidc',
    issuer,
    clientId,
    clientSecret,
    checks: ['pkce', 'state'],
    client: { id_token_signed_response_alg: 'ES256' },
    authorization: { params: { scope: 'openid profile email tasks:read', resource: 'urn:taskwire:tasks' } },
  };
  const config: AuthConfig = {
    providers: [taskwire],
    trustHost: true,
    basePath: '/auth',
    secret: clientSecret,
    callbacks: {
      // stored in the session of this example only to show that it works
      jwt: ({ token, account }) => ({
        ...token,
        ...(account === null || account === undefined ? {} : { api: account.access_token }),
      }),
      session: ({ session, token }) => ({ ...session, api: token['api'] }),
    },
  };
  return async (request, response) => {
    const url = `http://${request.headers.host}${request.originalUrl}`;
    const answer = await Auth(
      new Request(url, {
        method: request.method,
        headers: request.headers as Record<string, string>,
        ...(request.method === 'POST' ? { body: new URLSearchParams(request.body as Record<string, string>) } : {}),
      }),
      config,
    );
    answer.headers.forEach((value, name) => {
      if (name !== 'set-cookie') response.setHeader(name, value);
    });
    response.setHeader('set-cookie', answer.headers.getSetCookie());
    response.status(answer.status).send(await answer.text());
  };
}
