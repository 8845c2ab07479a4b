import type { IncomingMessage, ServerResponse } from 'node:http';
import { parse } from 'node:querystring';
import parseUrl from 'parseurl';
import type { Route } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import { addLogFields } from '@taskwire/telemetry';
import type { Actor } from './access/actor.ts';
import type { Authenticator } from './access/authenticator.ts';
import type { observeRefusals } from './access/refusals.ts';
import { requireAccess } from './access/requirements.ts';
import { PreserializedJson, type BoundRoute, type UntypedResponse } from './bind.ts';
import { withCurrent } from './current-representation.ts';
import { bodyReader, emptyBodyReader } from './body/read.ts';
import { idempotentRequest } from './idempotency.ts';
import { nothing, parseBody, parseInput } from './input.ts';
import { logIds } from './log-ids.ts';
import { entityTag, isNotModified, parseIdempotencyKey, readIfMatch } from './preconditions.ts';
import { headerOf, requestIds, stateOf } from './request.ts';

export type RouteParts = {
  authenticator: Authenticator;
  refused: ReturnType<typeof observeRefusals>;
  /** The epoch of the service's database, which entity tags contain. */
  sourceEpoch: () => number;
  /** The caller's address, as seen by the trusted proxy. */
  addressOf: (request: IncomingMessage) => string;
};

/** Serves a request of one route. `params` are the decoded parameters of its path. If the promise is rejected, the error becomes the response. */
export type RouteHandler = (request: IncomingMessage, response: ServerResponse, params: PathParams) => Promise<void>;

type PathParams = Readonly<Record<string, string>>;

/** A request with the results of the steps so far. */
type Received = {
  request: IncomingMessage;
  params: PathParams;
  actor: Actor | undefined;
  body: unknown;
  epoch: number;
};

/**
 * The steps of one operation, in the order in which their faults are reported: authentication, authorization, validation, execution. `reading` is the
 * operation that reads the same resource, for the response to a failed precondition.
 */
export function routeHandler({ route, handle }: BoundRoute, parts: RouteParts, reading?: BoundRoute): RouteHandler {
  const readBody = route.body === undefined ? emptyBodyReader(route) : bodyReader(route);
  const isPersonal = dependsOnCaller(route.access);

  function detailsOf(request: IncomingMessage) {
    return { ip: parts.addressOf(request), headers: request.headers, ...requestIds(request) };
  }

  return async (request, response, params) => {
    stateOf(request).route = route.path;
    logIds(request.url ?? '');
    // also set for errors, 304 and optional tokens: a cache must never serve one caller's response to another
    if (isPersonal) response.setHeader('Vary', 'Authorization');
    let actor: Actor | undefined;
    const epoch = parts.sourceEpoch();
    try {
      actor = await identify(request, route, parts.authenticator);
      if (actor !== undefined) requireAccess(route.access, actor);
      const body = await readBody(request);
      if (!isAwaited(request, response)) return;
      const input = {
        ...readRequest(route, { request, params, actor, body, epoch }),
        ...detailsOf(request),
        hangUp: () => hangUpOf(response),
        async currentActor() {
          actor = await identify(request, route, parts.authenticator);
          if (actor !== undefined) requireAccess(route.access, actor);
          return actor;
        },
      };
      send(route, { request, response, epoch }, await handle(input as never));
    } catch (error) {
      if (actor !== undefined) await parts.refused(error, { ...detailsOf(request), route, actor, params });
      const input = { ...detailsOf(request), actor, params, hangUp: () => hangUpOf(response) };
      throw await withCurrent(error, reading, input);
    }
  };
}

async function identify(
  { headers: { authorization } }: IncomingMessage,
  { access }: Route,
  authenticator: Authenticator,
): Promise<Actor | undefined> {
  if (!identifiesCaller(access, authorization)) return undefined;
  const actor = await authenticator.authenticate(authorization);
  addLogFields({ client_id: actor.clientId, ...(actor.kind === 'user' ? { user_id: actor.id } : {}) });
  return actor;
}

function dependsOnCaller(access: Route['access']): boolean {
  return access.kind !== 'anyone' || access.user === 'optional';
}

function identifiesCaller(access: Route['access'], authorization: string | undefined): boolean {
  return access.kind !== 'anyone' || (access.user === 'optional' && authorization !== undefined);
}

/**
 * Whether the caller is still waiting for the response. Work for a caller who has disconnected, or whose time limit (`X-Timeout-Ms`, counted from the
 * caller's request) passed while the request was queued, would only delay other requests.
 * @throws Problem `timeout`; `bad_request` for an invalid time.
 */
function isAwaited(request: IncomingMessage, response: ServerResponse): boolean {
  if (response.destroyed) return false;
  const waitsMs = headerOf(request, 'x-timeout-ms');
  if (waitsMs !== undefined && !/^[1-9]\d{0,8}$/.test(waitsMs)) {
    throw problem(
      'bad_request',
      'X-Timeout-Ms must be a whole number of milliseconds from 1 to 999999999, or be omitted.',
    );
  }
  if (waitsMs !== undefined && performance.now() - stateOf(request).arrivedAt >= Number(waitsMs)) {
    throw problem('timeout', 'The time limit of X-Timeout-Ms passed before the request was handled; nothing was done.');
  }
  return true;
}

function hangUpOf(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  if (response.destroyed) controller.abort();
  else response.once('close', () => controller.abort());
  return controller.signal;
}

function readRequest(route: Route, { request, params: sent, actor, body: sentBody, epoch }: Received): object {
  const params = route.params && parseInput(route.params, sent);
  const query = parseInput(route.query ?? nothing, parse(queryOf(request)), route.fieldHints);
  const body = parseBody(route, sentBody);
  const ifMatch = readIfMatch(route, headerOf(request, 'if-match'), epoch);
  const key = route.idempotent === true ? parseIdempotencyKey(headerOf(request, 'idempotency-key')) : undefined;
  const isIdempotent = key !== undefined && actor !== undefined;
  const idempotent = isIdempotent ? idempotentRequest(route, { key, actor, params, body }) : undefined;
  return { params, query, body, ifMatch, actor, idempotent };
}

function queryOf(request: IncomingMessage): string {
  const query = parseUrl(request)?.query;
  return typeof query === 'string' ? query : '';
}

function send(
  route: Route,
  { request, response, epoch }: { request: IncomingMessage; response: ServerResponse; epoch: number },
  answer: UntypedResponse,
): void {
  const { headers = {}, etag, body } = answer;
  response.statusCode = Number(answer.status);
  response.setHeader('Cache-Control', route.storable === true ? 'private, no-cache' : 'no-store');
  if (route.deprecated !== undefined) sendDeprecation(response, route.deprecated);
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (answer.replayed === true) response.setHeader('Idempotency-Replayed', 'true');
  if (body === undefined) return void response.end();
  const text = body instanceof PreserializedJson ? body.text : JSON.stringify(body);
  if (route.location !== undefined && response.statusCode === 201) {
    const location = locationOf(route.location, text);
    logIds(location);
    response.setHeader('Location', location);
  }
  if (etag !== undefined) {
    const tag = entityTag(etag, epoch, text);
    response.setHeader('ETag', tag);
    if (route.method === 'get' && isNotModified(headerOf(request, 'if-none-match'), tag)) {
      response.statusCode = 304;
      return void response.end();
    }
  }
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  response.end(text);
}

/** RFC 9745 uses seconds since 1970, and RFC 8594 an HTTP date. */
function sendDeprecation(response: ServerResponse, { since, sunset }: NonNullable<Route['deprecated']>): void {
  response.setHeader('Deprecation', `@${Date.parse(since) / 1000}`);
  response.setHeader('Sunset', new Date(sunset).toUTCString());
}

function locationOf(path: string, text: string): string {
  const body = JSON.parse(text) as Readonly<Record<string, unknown>>;
  return path.replaceAll(/\{(\w+)\}/g, (_, field: string) => {
    const value = body[field];
    if (typeof value !== 'string') throw new Error(`the response with the Location ${path} has no ${field}`);
    return encodeURIComponent(value);
  });
}
