import { errorText, problem, Problem } from '@taskwire/errors';

/**
 * SQLSTATEs (complete codes, or prefixes) which indicate that the database cannot serve any request now. The current request or message is not the
 * cause of any of them. https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const unavailableStates = [
  '08', // the connection failed
  '25006', // read-only: a standby after a failover, or default_transaction_read_only
  '28', // login refused, for example while its password is being changed
  '3D000', // the database does not exist, for example while it is being restored
  '42501', // the login lost a privilege
  '53', // out of disk, memory or connections
  '57P', // shutting down, starting, crashed, or dropped
  '58', // the server's own I/O failed
];

/** SQLSTATEs of a working database in which another transaction holds the lock, or the statement is too slow at the moment. */
const busyStates = [
  '55P03', // lock_timeout, NOWAIT
  '57014', // statement_timeout, or cancelled by an operator
];

/** SQLSTATEs that may affect only one table, one tablespace or one memory allocation: the probe's small write may still succeed. */
const partialStates = ['42501', '531', '532', '534', '58'];

/** System errors of sockets and lookups: https://nodejs.org/api/errors.html#common-system-errors */
const networkErrors = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN'],
  ...['EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENOENT', 'EMFILE', 'ENFILE'],
]);

/** Messages of pg and pg-pool that have no code: a connection ended, or none was available in time. */
const connectionErrors =
  /^(Connection terminated|timeout exceeded when trying to connect|timeout expired|Client has encountered a connection error|Client was closed|Cannot use a pool after|The server does not support SSL|PostgreSQL said nothing for|unsupported startup parameter)/;

/** `unavailable`: the database cannot serve requests. `busy`: this statement could not finish in time, but others may succeed. */
export type Outage = 'unavailable' | 'busy';

/** Returns the outage that an error indicates; undefined for any other error. No other function makes this decision. */
export function outageOf(error: unknown): Outage | undefined {
  const cause = rootOf(error);
  if (!(cause instanceof Error)) return undefined;
  if (cause instanceof AggregateError && cause.errors.length > 0) return outageOf(cause.errors[0]);
  const code: unknown = Reflect.get(cause, 'code');
  if (typeof code === 'string') {
    if (busyStates.includes(code)) return 'busy';
    if (networkErrors.has(code)) return 'unavailable';
    if (/^[0-9A-Z]{5}$/.test(code)) {
      return unavailableStates.some((state) => code.startsWith(state)) ? 'unavailable' : undefined;
    }
  }
  return connectionErrors.test(cause.message) ? 'unavailable' : undefined;
}

/** Whether an outage may affect only some writes, so that a probe can succeed. */
export function isUnseenByProbe(error: unknown): boolean {
  const cause = rootOf(error);
  const code: unknown = cause instanceof Error ? Reflect.get(cause, 'code') : undefined;
  return (
    typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && partialStates.some((state) => code.startsWith(state))
  );
}

/** Seconds after which a caller may retry: pools reconnect at once, and a failover takes a few seconds. */
const retryAfterSeconds = '5';

/**
 * Converts an error for callers of the API: an outage becomes Problem `unavailable` (503) with the error as its cause; any other error is returned
 * unchanged.
 */
export function asProblem(error: unknown): unknown {
  if (error instanceof Problem || outageOf(error) === undefined) return error;
  return problem('unavailable', 'The database is unavailable right now. Try again in a few seconds.', {
    headers: { 'Retry-After': retryAfterSeconds },
    cause: error,
  });
}

/** Returns pg's own error from inside TypeORM's wrapper and ours. */
export function rootOf(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if (error instanceof Problem) return error.code === 'unavailable' ? rootOf(error.cause) : error;
  if ('driverError' in error) return error.driverError;
  return error;
}

/** Returns why the database is unavailable, as one line for logs and readiness. */
export function outageText(error: unknown): string {
  return errorText(rootOf(error));
}
