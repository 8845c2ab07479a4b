import { problemTypes, type ProblemCode } from '@taskwire/errors';
import type { Route } from '../src/rest/route.ts';

/** Every problem that a route can return, in the order of the table of codes. Public routes include the gateway's problems. */
export function problemsOf(route: Route): ProblemCode[] {
  const found = new Set<string>([...(route.problems ?? []), ...general(route)]);
  return (Object.keys(problemTypes) as ProblemCode[]).filter((code) => found.has(code));
}

function* general(route: Route): Generator<ProblemCode> {
  yield 'bad_request';
  yield 'headers_too_large';
  if (route.access.kind !== 'anyone') yield* ['unauthenticated', 'invalid_token', 'token_expired'] as const;
  if (route.access.kind === 'user') yield* ['access_revoked', 'forbidden'] as const;
  if (route.access.kind !== 'anyone') yield 'insufficient_scope';
  if (route.access.kind === 'user' && route.access.unverified !== true) yield 'email_not_verified';
  if (route.access.kind === 'user' && route.access.recentLogin === true) yield 'reauthentication_required';
  if (route.access.kind === 'anyone' && route.access.user === 'optional') {
    yield* ['invalid_token', 'token_expired', 'access_revoked', 'forbidden'] as const;
  }
  if (route.body !== undefined) {
    yield* ['malformed_json', 'request_timeout', 'payload_too_large', 'unsupported_media_type'] as const;
  }
  if (route.body !== undefined || route.query !== undefined || route.params !== undefined) yield 'invalid_input';
  if (route.ifMatch !== undefined) yield* ['bad_etag', 'precondition_failed'] as const;
  if (route.ifMatch === 'required') yield 'precondition_required';
  if (route.idempotent === true) {
    yield* ['bad_idempotency_key', 'idempotency_in_progress', 'idempotency_key_reused'] as const;
  }
  yield* ['internal', 'unavailable'] as const;
  if (route.access.kind !== 'service' || route.access.public === true) yield* ['uri_too_long', 'rate_limited', 'bad_gateway', 'timeout'] as const;
}

/** The problem codes of a route by status. */
export function problemsByStatus(route: Route): Map<number, ProblemCode[]> {
  return Map.groupBy(problemsOf(route), (code) => problemTypes[code].status);
}

/** An example of a problem document. */
export function problemExample(code: ProblemCode): unknown {
  const { title, status } = problemTypes[code];
  return {
    type: `/docs/problems#${code}`,
    title,
    status,
    detail: `${title}.`,
    code,
    ...(code === 'invalid_input'
      ? { errors: [{ field: 'title', code: 'too_small', message: 'must not be empty' }] }
      : {}),
    request_id: '8d5f1f0e-2f0c-4c39-9d0a-3f2f6f1f9b11',
  };
}
