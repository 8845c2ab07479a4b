import { rootOf } from './unavailable.ts';

/** Returns SQL that formats a timestamptz as ISO 8601 UTC with microseconds, which JavaScript's Date would truncate to milliseconds. */
export function isoMicros(column: string): string {
  return `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
}

/**
 * Returns SQL for the timestamp of the next change of a row: the current time, but at least `span` after the previous one. The timestamps of one row
 * therefore strictly increase, even if the server's clock is set back or two changes happen within one microsecond.
 */
export function nextTimestamp(previous: string, span = "interval '1 microsecond'"): string {
  return `greatest(clock_timestamp(), ${previous} + ${span})`;
}

/** The SQLSTATEs that the code distinguishes: https://www.postgresql.org/docs/current/errcodes-appendix.html */
export const sqlState = {
  uniqueViolation: '23505',
  notNullViolation: '23502',
  foreignKeyViolation: '23503',
  undefinedTable: '42P01',
  serializationFailure: '40001',
  deadlockDetected: '40P01',
  lockNotAvailable: '55P03',
  /** Also raised by `statement_timeout`. */
  queryCanceled: '57014',
} as const;

/** Returns the SQLSTATE of an error that the server sent; undefined for any other error. */
export function sqlStateOf(error: unknown): string | undefined {
  const cause = rootOf(error);
  if (!(cause instanceof Error) || !('code' in cause) || typeof cause.code !== 'string') return undefined;
  // requires a digit, because EPIPE is a system error
  return /^(?=.*\d)[0-9A-Z]{5}$/.test(cause.code) ? cause.code : undefined;
}

/** Whether an error is PostgreSQL's, with this SQLSTATE and, if given, about this constraint. */
export function isSqlState(error: unknown, state: string, constraint?: string): boolean {
  const cause = rootOf(error);
  if (!(cause instanceof Error) || !('code' in cause) || cause.code !== state) return false;
  return constraint === undefined || ('constraint' in cause && cause.constraint === constraint);
}
