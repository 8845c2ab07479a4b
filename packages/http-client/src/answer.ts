/**
 * The reason why a call has no usable result:
 * - `breaker_open`: the service failed too often; no request was sent
 * - `overloaded`: too many calls of this process are already waiting for the service; no request was sent
 * - `deadline`: the call exceeded its time limit
 * - `cancelled`: the caller's signal was aborted
 * - `network`: the connection failed or broke
 * - `status`: a response that means "not now" (408, 429, 5xx), or a response outside the contract
 * - `bad_answer`: a success whose body violates the contract or is too large
 * - `no_token`: no access token was available
 * - `unauthorized`: the service rejected a fresh token, or the token lacks a permission (401, 403)
 */
export type UnavailableReason =
  | 'breaker_open'
  | 'overloaded'
  | 'deadline'
  | 'cancelled'
  | 'network'
  | 'status'
  | 'bad_answer'
  | 'no_token'
  | 'unauthorized';

export type Unavailable = {
  kind: 'unavailable';
  reason: UnavailableReason;
  /** A sentence for logs and `last_error` columns, without secrets. */
  detail: string;
  /** When a retry makes sense, in milliseconds from now, if known. */
  retryAfterMs?: number | undefined;
  /** The HTTP status, if there was a response. */
  status?: number | undefined;
};

/** The result of reading from another service. Only programming errors throw. */
export type Answer<T> =
  | { kind: 'ok'; value: T }
  /** The service returned this in a problem document of its contract; a 404 or 410 from an intermediary is `unavailable`. */
  | { kind: 'not_found' }
  /** As above; `detail` is the problem document's sentence, without secrets. */
  | { kind: 'gone'; detail: string }
  | Unavailable;

export function unavailable(
  reason: UnavailableReason,
  detail: string,
  known: Pick<Unavailable, 'retryAfterMs' | 'status'> = {},
): Unavailable {
  return { kind: 'unavailable', reason, detail, ...known };
}
