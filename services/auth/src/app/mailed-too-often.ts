import { problem, type Problem } from '@taskwire/errors';

/** The period of every budget of mails to one address (ADR 25), in seconds. It is the longest that the caller may have to wait. */
const periodSeconds = 3600;

/** The refusal of a request that would mail an address once more although its budget is used up. */
export function mailedTooOften(): Problem {
  return problem('rate_limited', 'This address was mailed too often. Try again in an hour.', {
    headers: { 'Retry-After': String(periodSeconds) },
  });
}
