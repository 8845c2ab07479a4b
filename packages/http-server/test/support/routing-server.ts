import { request as send } from 'node:http';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { defineRoute, type Route } from '@taskwire/contracts';
import { createTelemetry } from '@taskwire/telemetry';
import { bind, createHttpServer, response } from '../../src/index.ts';
import { reader } from './reader.ts';

const shown = z.object({ route: z.string(), params: z.unknown(), query: z.unknown(), ip: z.string() });

function route(method: Route['method'], path: string, rest: Partial<Route> = {}) {
  const base = { method, path, operationId: `${method} ${path}`, summary: '', tag: '', responses: { 200: shown } };
  return defineRoute({ ...base, access: { kind: 'anyone' }, ...rest });
}

const id = { params: z.object({ id: z.string() }) };
const anyQuery = { query: z.record(z.string(), z.unknown()) as unknown as z.ZodObject };
const writing = { access: { kind: 'user', scopes: ['tasks:write'] }, body: z.strictObject({ a: z.string() }) } as const;

const routes = [
  route('get', '/api/v1/things', anyQuery),
  route('post', '/api/v1/things', { ...writing, query: z.strictObject({}) }),
  route('get', '/api/v1/things/{id}', { ...id, ...anyQuery }),
  route('patch', '/api/v1/things/{id}', { ...id, ...writing, ifMatch: 'required' }),
  route('delete', '/api/v1/things/{id}', { ...id, access: { kind: 'user', scopes: ['tasks:read'], roles: ['admin'] } }),
  route('get', '/api/v1/things/first'),
  route('post', '/api/v1/things/{id}/parts', id),
  route('get', '/api/v1/things/{id}/parts/{part}', { params: z.object({ id: z.string(), part: z.string() }) }),
  route('post', '/api/v1/form', { body: z.looseObject({}), bodyType: 'application/x-www-form-urlencoded' }),
  route('get', '/api/v1/broken'),
];

export type Answer = {
  status: number;
  headers: Record<string, unknown>;
  body: string;
  /** The route under which the request was logged. */
  logged: string;
};

export type RoutingServer = Awaited<ReturnType<typeof startRoutingServer>>;

/** A server whose responses show the route, parameters and query of a request, and a client that sends paths unchanged. */
export async function startRoutingServer() {
  /** Callbacks by request id, each called with the route under which the request was logged. */
  const whenLogged = new Map<string, (route: string) => void>();
  const stream = new PassThrough().on('data', (text: Buffer) => {
    for (const line of text.toString().trim().split('\n')) {
      const { message, request_id: requestId, route: logged } = JSON.parse(line);
      if (message === 'request') whenLogged.get(requestId)?.(logged);
    }
  });
  const server = createHttpServer({
    telemetry: createTelemetry({ service: 'test', level: 'debug', stream }),
    ...{ host: '127.0.0.1', port: 0, trustedProxies: ['loopback'], readiness: {} },
    // the token is the caller's name
    authenticator: { authenticate: async (token = '') => reader(token) },
    routes: routes.map((one) =>
      bind(one, async ({ params, query, ip }) => {
        if (one.path === '/api/v1/broken') throw new Error('the inside of the service');
        const body = { route: one.operationId, params: params ?? null, query: query ?? null, ip };
        return response(200, body, { etag: 3 });
      }),
    ),
    rawRoutes: [
      {
        path: '/raw/:id',
        handle: async (request, answer) => void answer.end(JSON.stringify({ ...request.params, ...request.query })),
      },
    ],
  });
  await server.start();
  let count = 0;

  return {
    async call(method: string, path: string, o: { headers?: Record<string, string>; body?: string } = {}) {
      const requestId = `call-${++count}`;
      const logged = Promise.withResolvers<string>();
      whenLogged.set(requestId, logged.resolve);
      const answer = await new Promise<Omit<Answer, 'logged'>>((resolve, reject) => {
        const { hostname: host, port } = new URL(server.url());
        const headers = { 'x-request-id': requestId, ...o.headers };
        const request = send({ host, port, method, path, headers }, (incoming) => {
          text(incoming).then(
            (body) => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body }),
            reject,
          );
        });
        request.on('error', reject).end(o.body);
      });
      // the log line is written when the response has ended, possibly after the caller has received the response
      return { ...answer, logged: await logged.promise } satisfies Answer;
    },
    url: server.url,
    stop: server.stop,
  };
}
