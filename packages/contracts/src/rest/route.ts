import type { z } from 'zod';
import type { Access } from './access.ts';

/** Whether a write accepts the header If-Match, with a version or `*`: optionally, or as a requirement (428 when missing). */
export type IfMatch = 'optional' | 'required';

/**
 * One operation of a REST API: the source of validation, documentation and types. An absent part is ignored: a route without `query` does
 * not read query parameters, one without `body` does not read a body.
 */
export type Route = {
  method: 'get' | 'post' | 'patch' | 'delete';
  /** An OpenAPI path template, for example `/api/v1/tasks/{id}`. */
  path: string;
  operationId: string;
  summary: string;
  description?: string;
  tag: string;
  access: Access;
  /**
   * The scope that the access token must have, for an operation whose token is opaque: the OAuth server checks it, not `access`, which is `anyone`.
   */
  opaqueTokenScope?: string;
  /** The dates from which the operation is deprecated and may be removed, sent as Deprecation (RFC 9745) and Sunset (RFC 8594): at least 90 days apart. */
  deprecated?: { since: string; sunset: string };
  params?: z.ZodObject;
  query?: z.ZodObject;
  body?: z.ZodType;
  /**
   * Hints for fields that callers expect in the query or body but that do not exist there. Each hint says what to do instead, without a subject,
   * such as `is changed with POST …, for example {…}`. The response that rejects such a field includes its hint.
   */
  fieldHints?: Readonly<Record<string, string>>;
  /** Whether the body may be omitted. */
  optionalBody?: true;
  ifMatch?: IfMatch;
  /** Whether the route takes an Idempotency-Key (draft-ietf-httpapi-idempotency-key-header). */
  idempotent?: boolean;
  /** Success statuses, each with the schema of its body, or null for no body. */
  responses: Readonly<Record<number, z.ZodType | null>>;
  /** The path of the resource created by a 201, with its id from the body in place of `{id}`; sent as Location. Every route with a 201 has it. */
  location?: string;
  /** Whether the response has an ETag. */
  etag?: boolean;
  /**
   * Whether the caller may store the response to a GET and reuse it after revalidation. Every other response is `no-store`. A response with personal
   * data is never storable.
   */
  storable?: boolean;
  /** Problem codes beyond those that every route of its kind can return. */
  problems?: readonly string[];
  /** The media type of the body, if it is not JSON. */
  bodyType?: 'application/x-www-form-urlencoded';
  /** The maximum body size in bytes, if the limit of its path does not fit; see `bodyLimitOf`. */
  maxBodyBytes?: number;
};

/** Log-ins, token requests and forms have a few hundred bytes, and anyone may send them. */
const authBodyBytes = 16 * 1024;
/** Most requests have a few hundred bytes; this is several times the longest text of a request. */
const usualBodyBytes = 64 * 1024;

/**
 * The maximum body size in bytes for a route, or for a path that no contract describes. The body readers of the services and the gateway take their
 * limits from here; a larger body is rejected with 413 `payload_too_large`.
 */
export function bodyLimitOf({ path, maxBodyBytes }: Pick<Route, 'path' | 'maxBodyBytes'>): number {
  return maxBodyBytes ?? (/^\/(api\/v1\/auth|oidc)(\/|$)/.test(path) ? authBodyBytes : usualBodyBytes);
}

/** Declares a route and keeps its literal types. */
export function defineRoute<const R extends Route>(route: R): R {
  return route;
}
