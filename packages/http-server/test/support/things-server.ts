import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { z } from 'zod';
import { defineRoute, schemas } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import { createTelemetry } from '@taskwire/telemetry';
import { response, bind, createHttpServer, jwtAuthenticator, toVerificationKey } from '../../src/index.ts';

const issuer = 'http://localhost:8080/oidc';
const audience = 'urn:taskwire:test';
export const userId = '019aa1b2-0000-7000-8000-000000000001';
/** A user whose access has been revoked. */
export const revokedId = '019aa1b2-0000-7000-8000-000000000002';

const thing = z.object({ id: z.string(), title: z.string() });

const routes = {
  create: defineRoute({
    method: 'post',
    path: '/api/v1/things',
    operationId: 'create',
    summary: '',
    tag: '',
    access: { kind: 'user', scopes: ['tasks:read'] },
    idempotent: true,
    body: z.strictObject({ title: z.string().max(10), labels: z.array(z.string()).default([]) }),
    responses: { 201: thing },
  }),
  first: defineRoute({
    method: 'get',
    path: '/api/v1/things/first',
    operationId: 'first',
    summary: '',
    tag: '',
    access: { kind: 'user', scopes: ['admin'], roles: ['admin'] },
    responses: { 200: thing },
  }),
  read: defineRoute({
    method: 'get',
    path: '/api/v1/things/{id}',
    operationId: 'read',
    summary: '',
    tag: '',
    access: { kind: 'user', scopes: ['tasks:read'] },
    params: schemas.idParams,
    query: z.strictObject(schemas.page),
    responses: { 200: thing },
    etag: true,
    storable: true,
  }),
  drop: defineRoute({
    method: 'delete',
    path: '/api/v1/things/{id}',
    operationId: 'drop',
    summary: '',
    tag: '',
    access: { kind: 'user', scopes: ['tasks:write'], recentLogin: true },
    params: schemas.idParams,
    body: z.strictObject({ reason: z.string().optional() }),
    optionalBody: true,
    responses: { 200: z.object({ body: z.unknown() }) },
  }),
  internal: defineRoute({
    method: 'get',
    path: '/things/{id}',
    operationId: 'internal',
    summary: '',
    tag: '',
    access: { kind: 'service', scope: 'tasks:read' },
    params: schemas.idParams,
    responses: { 200: thing },
  }),
  known: defineRoute({
    method: 'post',
    path: '/api/v1/known',
    operationId: 'known',
    summary: '',
    tag: '',
    access: { kind: 'anyone', user: 'optional' },
    responses: { 200: thing },
  }),
  broken: defineRoute({
    method: 'get',
    path: '/api/v1/broken',
    operationId: 'broken',
    summary: '',
    tag: '',
    access: { kind: 'anyone' },
    responses: { 204: null },
  }),
  limited: defineRoute({
    method: 'get',
    path: '/api/v1/limited',
    operationId: 'limited',
    summary: '',
    tag: '',
    access: { kind: 'anyone' },
    responses: { 204: null },
  }),
};

export type Claims = {
  sub?: string;
  aud?: string | string[];
  typ?: string;
  role?: string;
  scope?: string;
  client_id?: string;
  auth_time?: number;
  exp?: string;
  iss?: string;
};

export type ThingsServer = Awaited<ReturnType<typeof startThingsServer>>;

/** A server with one route for each kind of access, and a key to sign tokens for it. */
export async function startThingsServer() {
  const log = new PassThrough();
  const logged = text(log);
  const telemetry = createTelemetry({ service: 'test', stream: log });
  const keys = await generateKeyPair('ES256', { extractable: true });
  const known = await toVerificationKey({ ...(await exportJWK(keys.publicKey)), kid: 'k1' });

  async function sign(claims: Claims = {}, key = keys.privateKey, kid = 'k1'): Promise<string> {
    const { exp = '10m', typ = 'at+jwt', aud = [audience, 'urn:taskwire:other'], iss = issuer, ...rest } = claims;
    return await new SignJWT({ sub: userId, role: 'member', client_id: 'first-party', ...rest })
      .setProtectedHeader({ alg: 'ES256', kid, typ })
      .setIssuer(iss)
      .setAudience(aud)
      .setIssuedAt()
      .setExpirationTime(exp)
      .sign(key);
  }

  const token = await sign();
  const server = createHttpServer({
    telemetry,
    host: '127.0.0.1',
    port: 0,
    trustedProxies: ['loopback'],
    readiness: {
      database: async () => undefined,
      broker: async () => {
        throw new Error('cannot reach amqp://tasks:hunter2@broker');
      },
    },
    authenticator: jwtAuthenticator({
      issuer,
      audience,
      keys: { keyFor: async (kid) => (kid === 'k1' ? known : undefined) },
      async checkUser(claims) {
        return claims.userId === revokedId ? 'revoked' : { role: claims.role };
      },
    }),
    routes: [
      bind(routes.read, async ({ params }) => response(200, { id: params.id, title: 'x' }, { etag: 7 })),
      bind(routes.create, async ({ body, idempotent }) =>
        response(
          201,
          { id: idempotent?.key ?? '-', title: body.title },
          { headers: { Location: '/x' }, replayed: false },
        ),
      ),
      bind(routes.first, async ({ actor }) => response(200, { id: actor.id, title: 'first' })),
      bind(routes.drop, async ({ body }) => response(200, { body: body ?? null })),
      bind(routes.internal, async ({ actor }) => response(200, { id: actor.clientId, title: 'internal' })),
      bind(routes.known, async ({ actor }) => response(200, { id: actor?.id ?? '-', title: 'known' })),
      bind(routes.broken, async () => {
        throw new Error('the inside of the service');
      }),
      bind(routes.limited, async () => {
        throw problem('rate_limited', 'Slow down.', { headers: { 'Retry-After': '3' } });
      }),
    ],
  });
  await server.start();

  return {
    privateKey: keys.privateKey,
    sign,
    token,
    url: server.url,
    /** Sends a request with the valid token unless another one, or null, is given. */
    async call(path: string, init: RequestInit & { token?: string | null } = {}) {
      const { token: given = token, ...rest } = init;
      const headers = new Headers(rest.headers);
      if (given !== null) headers.set('authorization', `Bearer ${given}`);
      const response = await fetch(`${server.url()}${path}`, { ...rest, headers });
      const body = await response.text();
      return { status: response.status, headers: response.headers, body: body === '' ? undefined : JSON.parse(body) };
    },
    /** Stops the server, and checks that it has not logged the token. */
    async stop() {
      await server.stop();
      await telemetry.shutdown();
      log.end();
      expect(await logged).not.to.contain(token);
    },
  };
}
