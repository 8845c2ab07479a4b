import type { Route } from '@taskwire/contracts';
import type { z } from 'zod';
import type { ServiceActor, UserActor } from './access/actor.ts';
import type { IfMatch } from './preconditions.ts';

type Parsed<S> = S extends z.ZodType ? z.output<S> : undefined;

type ActorOf<A extends Route['access']> = A['kind'] extends 'user'
  ? UserActor
  : A['kind'] extends 'service'
    ? ServiceActor
    : A extends { user: 'optional' }
      ? UserActor | undefined
      : undefined;

/** What a handler gets: only what the contract names, checked and typed. */
export type RequestOf<R extends Route> = {
  params: Parsed<R['params']>;
  query: Parsed<R['query']>;
  /** Undefined where the contract lets it be left out and it was. */
  body: R['optionalBody'] extends true ? Parsed<R['body']> | undefined : Parsed<R['body']>;
  actor: ActorOf<R['access']>;
  /** Present where the contract says `ifMatch`; a route that requires it never sees undefined. */
  ifMatch: R['ifMatch'] extends 'required' ? IfMatch : IfMatch | undefined;
  /** Present where the contract says `idempotent` and the caller sent one. */
  idempotencyKey: string | undefined;
  /** The caller's address, as the trusted proxy in front saw it. */
  ip: string;
  /** The headers as Node gives them, for what the contract does not cover, such as `authorization` of the token endpoint. */
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Ours; see `RequestIds`. */
  requestId: string;
  /** What the caller calls its request; it proves nothing. */
  clientRequestId: string | null;
};

/** A body that is JSON text already, as the database made it; sent as it is. */
export class RawJson {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** What a handler answers: one of the contract's statuses, with its body. */
export type AnswerOf<R extends Route> = {
  [S in keyof R['responses']]: R['responses'][S] extends z.ZodType
    ? AnswerHead<S> & { body: z.input<R['responses'][S]> | RawJson }
    : AnswerHead<S>;
}[keyof R['responses']];

type AnswerHead<S> = {
  status: S;
  headers?: Readonly<Record<string, string>>;
  /** The version of the resource, sent in the strong entity tag of the body. */
  etag?: number;
};

export type HandlerOf<R extends Route> = (request: RequestOf<R>) => Promise<AnswerOf<R>>;

/** An answer whose status keeps its literal type: `return answer(200, task, { etag: task.version })`. */
export function answer<const S extends number>(status: S): { status: S };
export function answer<const S extends number, B>(
  status: S,
  body: B,
  extra?: Omit<AnswerHead<S>, 'status'>,
): AnswerHead<S> & { body: B };
export function answer(status: number, body?: unknown, extra: object = {}): object {
  return { ...extra, status, body };
}

/** A route with its handler; its types were checked by `bind`. */
export type BoundRoute = { route: Route; handle: (request: never) => Promise<LooseAnswer> };

/** An answer once its types are no longer needed. */
export type LooseAnswer = {
  status: PropertyKey;
  headers?: Readonly<Record<string, string>>;
  etag?: number;
  body?: unknown;
};

/** Binds a contract's route to its handler, so that a table of binds is the API of a service. */
export function bind<R extends Route>(route: R, handle: HandlerOf<R>): BoundRoute {
  return { route, handle };
}
