import { errorText, problem, Problem } from '@taskwire/errors';

/**
 * SQLSTATEs (whole, or their class) that say that the database cannot work now, whatever it was asked. None of them is the fault of the
 * request or message at hand. https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const unavailableStates = [
  '08', // the connection failed
  '25006', // read-only: a standby after a failover, or default_transaction_read_only
  '28', // the login is refused, for example while its password is being changed
  '3D000', // the database is not there, for example while it is being restored
  '42501', // the login lost a privilege
  '53', // out of disk, memory or connections
  '57P', // shutting down, starting, crashed, or dropped
  '58', // the server's own I/O failed
];

/** The database works, but something else holds the lock, or it is too slow at the moment. */
const busyStates = [
  '55P03', // lock_timeout, NOWAIT
  '57014', // statement_timeout, or cancelled by an operator
];

/** Of one table, one tablespace or one size of memory: the small write of a probe may succeed all the same. */
const partialStates = ['42501', '531', '532', '534', '58'];

/** System errors of sockets and look-ups: https://nodejs.org/api/errors.html#common-system-errors */
const networkErrors = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN'],
  ...['EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENOENT', 'EMFILE', 'ENFILE'],
]);

/** What pg and pg-pool say without a code: a connection that ended, or that none could be had in time. */
const connectionErrors =
  /^(Connection terminated|timeout exceeded when trying to connect|timeout expired|Client has encountered a connection error|Client was closed|Cannot use a pool after|The server does not support SSL|PostgreSQL said nothing for|unsupported startup parameter)/;

/** `unavailable`: nothing can be asked of the database. `busy`: this could not be done in time, other things may work. */
export type Outage = 'unavailable' | 'busy';

/** Whether an error says that the database cannot work now; undefined for every other error. The one place that decides. */
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

/** Whether an outage may hit some writes and not others. */
export function isUnseenByProbe(error: unknown): boolean {
  const cause = rootOf(error);
  const code: unknown = cause instanceof Error ? Reflect.get(cause, 'code') : undefined;
  return (
    typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && partialStates.some((state) => code.startsWith(state))
  );
}

/** Seconds after which a caller may try again: pools reconnect at once, a failover takes some seconds. */
const retryAfterSeconds = '5';

/** The error as callers of the API get it: Problem `unavailable` (503) for an outage, with the error as its cause; any other as it is. */
export function asProblem(error: unknown): unknown {
  if (error instanceof Problem || outageOf(error) === undefined) return error;
  return problem('unavailable', 'The database cannot answer now. Try again in a few seconds.', {
    headers: { 'Retry-After': retryAfterSeconds },
    cause: error,
  });
}

/** pg's own error: under TypeORM's wrapping, and under ours. */
export function rootOf(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if (error instanceof Problem) return error.code === 'unavailable' ? rootOf(error.cause) : error;
  if ('driverError' in error) return error.driverError;
  return error;
}

/** Why the database cannot work, as one line for logs and readiness. */
export function outageText(error: unknown): string {
  return errorText(rootOf(error));
}
