import type { Attempt, Evidence } from '../evidence.ts';
import { broken, type Violation } from './violation.ts';

/**
 * Without faults, every request is served at the first or the second attempt: a request may be lost because a process is stopped, but no request may
 * fail with an internal error (500). A refused request counts as served, except if a valid request was refused: 400 for a cursor that a list
 * returned.
 */
export function checkServed({ faults, operations }: Evidence): Violation[] {
  if (faults === 'injected') return [];
  return broken(
    'every request is served',
    operations.map(({ n, intent, attempts }) => {
      const failed = attempts.filter(isFailed);
      const isRepeated = failed.length === 1 && !isFailed(attempts.at(-1)!);
      const isServed = failed.length === 0 || (isRepeated && failed[0]?.status !== 500);
      if (isServed) return false;
      const seen = attempts.map(({ status, problem, error }) => [status ?? error, problem].filter(Boolean).join(' '));
      return `request ${n} (${Object.values(intent).join(' ')}): ${seen.join(', ')}`;
    }),
  );
}

/** The second of two concurrent requests with one key may have to wait for the first. */
function isFailed({ status, problem }: Attempt): boolean {
  if (problem === 'idempotency_in_progress') return false;
  return status === null || status >= 500 || status === 400 || status === 408 || status === 429;
}
