/**
 * Why there was no usable answer:
 * - `breaker_open`: the service failed too often; it was not asked
 * - `overloaded`: too many calls of this process wait for the service already; it was not asked
 * - `deadline`: the time of the call ran out
 * - `cancelled`: the caller's signal was aborted
 * - `network`: no connection, or it broke
 * - `status`: an answer that means "not now" (408, 429, 5xx), or one that is not part of the contract
 * - `bad_answer`: a success whose body is not what the contract says, or too large
 * - `no_token`: no access token could be had
 * - `unauthorized`: the service refused a fresh token, or the token lacks a right (401, 403)
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
  /** When asking again makes sense, in milliseconds from now, where that is known. */
  retryAfterMs?: number;
  /** The HTTP status, where there was one. */
  status?: number;
};

/** What a read of another service came to. Only programming errors are thrown. */
export type Answer<T> =
  | { kind: 'ok'; value: T }
  /** The service says so in a problem document of its contract; a 404 or 410 of anything in between is `unavailable`. */
  | { kind: 'not_found' }
  /** The same; `detail` is the document's: a sentence without secrets. */
  | { kind: 'gone'; detail: string }
  | Unavailable;

export function unavailable(
  reason: UnavailableReason,
  detail: string,
  known: { retryAfterMs?: number | undefined; status?: number } = {},
): Unavailable {
  const { retryAfterMs, status } = known;
  return {
    kind: 'unavailable',
    reason,
    detail,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(status === undefined ? {} : { status }),
  };
}
