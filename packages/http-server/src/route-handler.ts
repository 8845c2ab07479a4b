import type { Request, RequestHandler, Response } from 'express';
import type { Route } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import { addLogFields } from '@taskwire/telemetry';
import type { Actor } from './access/actor.ts';
import type { Authenticator } from './access/authenticator.ts';
import type { observeRefusals } from './access/refusals.ts';
import { requireAccess } from './access/requirements.ts';
import { PreserializedJson, type BoundRoute, type UntypedResponse } from './bind.ts';
import { bodyReader } from './body/read.ts';
import { idempotentRequest } from './idempotency.ts';
import { parseInput } from './input.ts';
import { isNotModified, parseIdempotencyKey, parseIfMatch, representationTag, type IfMatch } from './preconditions.ts';
import { requestIds, stateOf } from './request.ts';

export type RouteParts = { authenticator: Authenticator; refused: ReturnType<typeof observeRefusals> };

/** The steps of one operation, in the order in which their faults are reported: authentication, authorization, validation, execution. */
export function routeHandlers({ route, handle }: BoundRoute, { authenticator, refused }: RouteParts): RequestHandler[] {
  async function observed(request: Request, step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      const actor = actors.get(request);
      if (actor !== undefined) await refused(error, { ...factsOf(request), route, actor, params: request.params });
      throw error;
    }
  }

  return [
    async (request, response, next) => {
      // also on refusals, on 304, and where a token is optional: a cache must never serve one caller's response to another
      if (dependsOnCaller(route.access)) response.vary('Authorization');
      await observed(request, async () => await identify(request, route, authenticator));
      next();
    },
    ...(route.body === undefined ? [] : [bodyReader(route)]),
    async (request, response) => {
      if (!isAwaited(request, response)) return;
      const input = readRequest(route, request);
      await observed(request, async () => send(route, request, response, await handle(input as never)));
    },
  ];
}

const actors = new WeakMap<Request, Actor>();

async function identify(request: Request, route: Route, authenticator: Authenticator): Promise<void> {
  stateOf(request).route = route.path;
  if (!asksWhoCalls(route.access, request.headers.authorization)) return;
  const actor = await authenticator.authenticate(request.headers.authorization);
  addLogFields({ client_id: actor.clientId, ...(actor.kind === 'user' ? { user_id: actor.id } : {}) });
  actors.set(request, actor);
  requireAccess(route.access, actor);
}

function dependsOnCaller(access: Route['access']): boolean {
  return access.kind !== 'anyone' || access.user === 'optional';
}

function asksWhoCalls(access: Route['access'], authorization: string | undefined): boolean {
  return access.kind !== 'anyone' || (access.user === 'optional' && authorization !== undefined);
}

/**
 * Whether the caller is still waiting for the response. Work for a caller who hung up, or whose time (`X-Timeout-Ms`, counted from the caller's
 * request) ran out in the queue, only delays the others.
 * @throws Problem `timeout`; `bad_request` for an invalid time.
 */
function isAwaited(request: Request, response: Response): boolean {
  if (response.destroyed) return false;
  const waitsMs = request.get('x-timeout-ms');
  if (waitsMs !== undefined && !/^[1-9]\d{0,8}$/.test(waitsMs)) {
    throw problem(
      'bad_request',
      'X-Timeout-Ms must be a whole number of milliseconds from 1 to 999999999, or be left out.',
    );
  }
  if (waitsMs !== undefined && performance.now() - stateOf(request).arrivedAt >= Number(waitsMs)) {
    throw problem('timeout', 'X-Timeout-Ms ran out before the work began; nothing was done.');
  }
  return true;
}

function readRequest(route: Route, request: Request): unknown {
  const params = route.params && parseInput(route.params, request.params);
  const query = route.query && parseInput(route.query, request.query, route.elsewhere);
  const body = parseBody(route, request);
  const ifMatch = route.ifMatch && readIfMatch(route, request);
  const actor = actors.get(request);
  const key = route.idempotent === true ? parseIdempotencyKey(request.get('idempotency-key')) : undefined;
  const isIdempotent = key !== undefined && actor !== undefined;
  const idempotent = isIdempotent ? idempotentRequest(route, { key, actor, params, body }) : undefined;
  return { params, query, body, ifMatch, actor, idempotent, ...factsOf(request) };
}

function factsOf(request: Request) {
  return { ip: request.ip ?? '', headers: request.headers, ...requestIds(request) };
}

function parseBody({ body: schema, optionalBody, elsewhere }: Route, { body }: Request): unknown {
  if (schema === undefined || (optionalBody === true && body === undefined)) return undefined;
  return parseInput(schema, body, elsewhere);
}

function readIfMatch(route: Route, request: Request): IfMatch | undefined {
  const ifMatch = parseIfMatch(request.get('if-match'));
  if (ifMatch === undefined && route.ifMatch === 'required') {
    throw problem(
      'precondition_required',
      'Send If-Match with the ETag that you read, or * to change whatever there is.',
    );
  }
  return ifMatch;
}

function send(route: Route, request: Request, response: Response, answer: UntypedResponse): void {
  const { headers = {}, etag: version, body } = answer;
  response.statusCode = Number(answer.status);
  response.setHeader('Cache-Control', route.storable === true ? 'private, no-cache' : 'no-store');
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (answer.replayed === true) response.setHeader('Idempotency-Replayed', 'true');
  if (body === undefined) return void response.end();
  const text = body instanceof PreserializedJson ? body.text : JSON.stringify(body);
  if (route.location !== undefined && response.statusCode === 201) {
    response.setHeader('Location', locationOf(route.location, text));
  }
  if (version !== undefined) {
    const tag = representationTag(version, text);
    response.setHeader('ETag', tag);
    if (route.method === 'get' && isNotModified(request.get('if-none-match'), tag)) {
      response.statusCode = 304;
      return void response.end();
    }
  }
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  response.end(text);
}

/** The path of the created resource. @throws when the body has no id, which is a fault of the contract. */
function locationOf(path: string, text: string): string {
  const { id } = JSON.parse(text) as { id?: unknown };
  if (typeof id !== 'string') throw new Error(`what was created under ${path} has no id`);
  return path.replace('{id}', encodeURIComponent(id));
}
