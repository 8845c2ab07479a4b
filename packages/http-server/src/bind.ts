import type { JsonText, Route } from '@taskwire/contracts';
import type { z } from 'zod';
import type { ServiceActor, UserActor } from './access/actor.ts';
import { requireCallersOfIdempotentRoute, type IdempotentRequest } from './idempotency.ts';
import type { IfMatch } from './preconditions.ts';

type Parsed<S> = S extends z.ZodType ? z.output<S> : undefined;

type ActorOf<A extends Route['access']> = A['kind'] extends 'user'
  ? UserActor
  : A['kind'] extends 'service'
    ? ServiceActor
    : A extends { user: 'optional' }
      ? UserActor | undefined
      : undefined;

/** The request passed to a handler: only what the contract names, validated and typed. */
export type RequestOf<R extends Route> = {
  params: Parsed<R['params']>;
  query: Parsed<R['query']>;
  /** Undefined if the contract allows the body to be omitted and it was. */
  body: R['optionalBody'] extends true ? Parsed<R['body']> | undefined : Parsed<R['body']>;
  actor: ActorOf<R['access']>;
  /** Present if the contract says `ifMatch`; never undefined on a route that requires it. */
  ifMatch: R['ifMatch'] extends 'required' ? IfMatch : IfMatch | undefined;
  /** Identifies the request, so that it is executed at most once, if the contract says `idempotent` and the caller sent an Idempotency-Key. */
  idempotent: R['idempotent'] extends true ? IdempotentRequest | undefined : undefined;
  /** The caller's address, as seen by the trusted proxy. */
  ip: string;
  /** The headers as Node provides them, for purposes that the contract does not cover, such as `authorization` of the token endpoint. */
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The server's own id of the request; see `RequestIds`. */
  requestId: string;
  /** The caller's own id of the request, unverified. */
  clientRequestId: string | null;
};

/**
 * A body that is already JSON text, as produced by the database; sent unchanged. `schema` is that of the response, and the type of the text names it.
 * Nothing checks the text at run time, so a test has to parse it with the schema.
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
  /** The version of the resource, sent in the strong entity tag of the body. */
  etag?: number | undefined;
};

/**
 * Whether the response is that of an earlier request with the same Idempotency-Key, which `Idempotency-Replayed` reports. Required, so that a handler
 * cannot forget the key: only code that has looked up the key knows the value.
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
  etag?: number | undefined;
  replayed?: boolean;
  body?: unknown;
};

/**
 * Binds a contract's route to its handler. A table of such bindings is the API of a service.
 * @throws Error for an idempotent route without authentication.
 */
export function bind<R extends Route>(route: R, handle: HandlerOf<R>): BoundRoute {
  requireCallersOfIdempotentRoute(route);
  return { route, handle };
}
