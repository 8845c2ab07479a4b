import type { JsonText, Route } from '@taskwire/contracts';
import type { z } from 'zod';
import type { ServiceActor, UserActor } from './access/actor.ts';
import { requireCallersOfIdempotentRoute, type IdempotentRequest } from './idempotency.ts';
import type { IfMatch } from './preconditions.ts';

type Parsed<S> = S extends z.ZodType ? z.output<S> : undefined;

type ActorOf<A extends Route['access']> = A['kind'] extends 'user'
  ? A extends { service: string }
    ? UserActor | ServiceActor
    : UserActor
  : A['kind'] extends 'service'
    ? ServiceActor
    : A extends { user: 'optional' }
      ? UserActor | undefined
      : undefined;

/** The request passed to a handler: only the parts that the contract names, validated and typed. */
export type RequestOf<R extends Route> = {
  params: Parsed<R['params']>;
  query: Parsed<R['query']>;
  /** Undefined if the body was omitted, where the contract allows this. */
  body: R['optionalBody'] extends true ? Parsed<R['body']> | undefined : Parsed<R['body']>;
  actor: ActorOf<R['access']>;
  /** Present if the contract says `ifMatch`; never undefined on a route that requires If-Match. */
  ifMatch: R['ifMatch'] extends 'required' ? IfMatch : IfMatch | undefined;
  /** If the contract says `idempotent` and the caller sent an Idempotency-Key: identifies the request, so that it is executed at most once. */
  idempotent: R['idempotent'] extends true ? IdempotentRequest | undefined : undefined;
  /** The caller's address, as seen by the trusted proxy. */
  ip: string;
  /** The headers as Node provides them, for purposes that the contract does not cover, such as `authorization` of the token endpoint. */
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The server's own id of the request; see `RequestIds`. */
  requestId: string;
  /** The caller's own id of the request, unverified. */
  clientRequestId: string | null;
  /** Returns a signal that is aborted when the caller closes the connection before the response. */
  hangUp: () => AbortSignal;
  /**
   * Identifies the caller again, for a request that waits: access may have ended since, and the role may be another one.
   * @throws Problem as for a new request: 401, 403 or 503.
   */
  currentActor: () => Promise<ActorOf<R['access']>>;
};

/**
 * A body that is already JSON text, as produced by the database; sent unchanged. `schema` is the schema of the response, which the type of the text
 * also names. The text is not checked at run time, so a test must parse it with the schema.
 */
export class PreserializedJson<S extends z.ZodType = z.ZodType> {
  readonly schema: S;
  readonly text: JsonText<S>;
  constructor(schema: S, text: JsonText<S>) {
    this.schema = schema;
    this.text = text;
  }
}

/** A handler's response: one of the contract's statuses, with its body. */
export type ResponseOf<R extends Route> = {
  [S in keyof R['responses']]: R['responses'][S] extends z.ZodType
    ? ResponseHead<S> & Replayable<R> & { body: z.input<R['responses'][S]> | PreserializedJson<R['responses'][S]> }
    : ResponseHead<S> & Replayable<R>;
}[keyof R['responses']];

type ResponseHead<S> = ResponseExtras & { status: S };

type ResponseExtras = {
  headers?: Readonly<Record<string, string>>;
  /** The version of the resource, which becomes part of the strong entity tag; `content` for a resource without versions, see `contentTag`. */
  etag?: number | 'content' | undefined;
};

/**
 * Whether this is the saved response to an earlier request with the same Idempotency-Key, which the header `Idempotency-Replayed` reports. The field is
 * required, so that a handler cannot forget the key: only code that has looked up the key knows its value.
 */
type Replayable<R extends Route> = R['idempotent'] extends true ? { replayed: boolean } : object;

export type HandlerOf<R extends Route> = (request: RequestOf<R>) => Promise<ResponseOf<R>>;

/** A response whose status keeps its literal type: `return response(200, task, { etag: task.version })`. */
export function response<const S extends number>(status: S): { status: S };
export function response<const S extends number, B>(status: S, body: B): { status: S; body: B };
export function response<const S extends number, B, E extends ResponseExtras & { replayed?: boolean }>(
  status: S,
  body: B,
  extra: E,
): E & { status: S; body: B };
export function response(status: number, body?: unknown, extra: object = {}): object {
  return { ...extra, status, body };
}

/** A route with its handler, after `bind` has checked the types. */
export type BoundRoute = { route: Route; handle: (request: never) => Promise<UntypedResponse> };

/** A response without the types of its contract. */
export type UntypedResponse = {
  status: PropertyKey;
  headers?: Readonly<Record<string, string>>;
  etag?: number | 'content' | undefined;
  replayed?: boolean;
  body?: unknown;
};

/**
 * Binds a contract's route to its handler. A table of such bindings forms the API of a service.
 * @throws Error for an idempotent route without authentication.
 */
export function bind<R extends Route>(route: R, handle: HandlerOf<R>): BoundRoute {
  requireCallersOfIdempotentRoute(route);
  return { route, handle };
}
