import type { z } from 'zod';
import type { Access } from './access.ts';

/** What a write expects in the header If-Match: nothing, a version or `*`, or the same but never missing (428). */
export type IfMatch = 'optional' | 'required';

/**
 * One operation of a REST API: what is validated, documented, and given types from. A part that is absent is not accepted: a route
 * without `query` refuses query parameters, one without `body` refuses a body.
 */
export type Route = {
  method: 'get' | 'post' | 'patch' | 'delete';
  /** OpenAPI style, for example `/api/v1/tasks/{id}`. */
  path: string;
  operationId: string;
  summary: string;
  description?: string;
  tag: string;
  access: Access;
  params?: z.ZodObject;
  query?: z.ZodObject;
  body?: z.ZodType;
  /**
   * Fields that callers expect in the query or the body and that are not there, each with what to do instead: a sentence without its subject, such as
   * `is changed with POST …, for example {…}`. The refusal of such a field says it.
   */
  elsewhere?: Readonly<Record<string, string>>;
  /** Whether the body may be left out. */
  optionalBody?: true;
  ifMatch?: IfMatch;
  /** Whether the route takes an Idempotency-Key (draft-ietf-httpapi-idempotency-key-header). */
  idempotent?: boolean;
  /** Statuses of success, each with the schema of its body, or null for none. */
  responses: Readonly<Record<number, z.ZodType | null>>;
  /** The path of what a 201 has created, with its id from the body in the place of `{id}`; sent as Location. Every route with a 201 has it. */
  location?: string;
  /** Whether the answer has an ETag. */
  etag?: boolean;
  /**
   * Whether the caller may store the answer of a GET and use it again after asking whether it is still current. Every other answer is
   * `no-store`, so people's data never gets this.
   */
  storable?: boolean;
  /** Codes of problems beyond those that every route of its kind can answer. */
  problems?: readonly string[];
  /** The media type of the body, where it is not JSON. */
  bodyType?: 'application/x-www-form-urlencoded';
  /** The largest body in bytes, where the limit of its path does not fit; see `bodyLimitOf`. */
  maxBodyBytes?: number;
};

/** Log-ins, tokens and forms have some hundred bytes, and anybody may send them. */
const authBodyBytes = 16 * 1024;
/** Most requests have some hundred bytes; the longest texts of a request fit several times. */
const usualBodyBytes = 64 * 1024;

/**
 * The largest body of a route, or of a path that no contract describes, in bytes. The body readers of the services and the gateway take their
 * limits from here; a larger body is answered with 413 `payload_too_large`.
 */
export function bodyLimitOf({ path, maxBodyBytes }: Pick<Route, 'path' | 'maxBodyBytes'>): number {
  return maxBodyBytes ?? (/^\/(api\/v1\/auth|oidc)(\/|$)/.test(path) ? authBodyBytes : usualBodyBytes);
}

/** Declares a route, keeping its literal types. */
export function defineRoute<const R extends Route>(route: R): R {
  return route;
}
