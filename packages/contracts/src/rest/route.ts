import type { z } from 'zod';
import type { Access } from './access.ts';

/** Whether a write accepts the header If-Match, with a version or `*`: either optionally or as a requirement (428 if missing). */
export type IfMatch = 'optional' | 'required';

/**
 * One operation of a REST API: the source of validation, documentation and types. A request must not have more: a
 * route without `query` refuses query parameters, and one without `body` refuses any body but an empty one or `{}`.
 */
export type Route = {
  method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** An OpenAPI path template, for example `/api/v1/tasks/{id}`. */
  path: string;
  operationId: string;
  summary: string;
  description?: string;
  tag: string;
  access: Access;
  /** The scope that the access token must have, for an operation with an opaque token. The OAuth server checks this scope; `access` is `anyone`. */
  opaqueTokenScope?: string;
  /** The dates from which the operation is deprecated and may be removed, sent as Deprecation (RFC 9745) and Sunset (RFC 8594): at least 90 days apart. */
  deprecated?: { since: string; sunset: string };
  params?: z.ZodObject;
  query?: z.ZodObject;
  body?: z.ZodType;
  /**
   * Hints for fields that callers may expect in the query or body, but that do not exist there. Each hint describes the alternative, without a
   * subject, such as `is changed with POST …, for example {…}`. The response that rejects such a field includes its hint.
   */
  fieldHints?: Readonly<Record<string, string>>;
  /** Whether the body may be omitted. */
  optionalBody?: true;
  ifMatch?: IfMatch;
  /** Whether the route takes an Idempotency-Key (draft-ietf-httpapi-idempotency-key-header). */
  idempotent?: boolean;
  /**
   * Whether the same request can be sent again without a second effect, although it is a POST without an Idempotency-Key. If so, the generated client
   * retries the request.
   */
  repeatable?: true;
  /** Success statuses, each with the schema of its body, or null for no body. */
  responses: Readonly<Record<number, z.ZodType | null>>;
  /**
   * The path of the resource created by a 201, with the body's field in place of each `{field}`; sent as Location. Every route with a 201
   * defines it.
   */
  location?: string;
  /** Whether the response has an ETag. */
  etag?: boolean;
  /**
   * Whether the caller may store the response to a GET and reuse it after revalidation. Every other response is `no-store`. A response with personal
   * data is never storable.
   */
  storable?: boolean;
  /** Problem codes in addition to those that every route of this kind can return. */
  problems?: readonly string[];
  /** The media type of the body, if it is not JSON. */
  bodyType?: 'application/x-www-form-urlencoded';
  /** The maximum body size in bytes, if the usual limit of its path is not suitable; see `bodyLimitOf`. */
  maxBodyBytes?: number;
  /** The maximum number of JSON values in the body, if 1,000 do not suffice. */
  maxBodyValues?: number;
};

/** Log-ins, token requests and forms have a few hundred bytes, and anyone may send them. */
const authBodyBytes = 16 * 1024;
/** Most requests have a few hundred bytes; this is several times the longest text of a request. */
const usualBodyBytes = 64 * 1024;

/**
 * The maximum body size in bytes for a route, or for a path that no contract describes. The body readers of the services and the gateway use these
 * limits; a larger body is rejected with 413 `payload_too_large`.
 */
export function bodyLimitOf({ path, maxBodyBytes }: Pick<Route, 'path' | 'maxBodyBytes'>): number {
  return maxBodyBytes ?? (/^\/(api\/v1\/auth|oidc)(\/|$)/.test(path) ? authBodyBytes : usualBodyBytes);
}

/** Declares a route and keeps its literal types. */
export function defineRoute<const R extends Route>(route: R): R {
  return route;
}
