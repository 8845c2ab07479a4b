import { problem, type Problem } from '@taskwire/errors';

/** The period of every limit on mails to one address (ADR 25), in seconds. It is also the longest time that the caller may have to wait. */
const periodSeconds = 3600;

/** The refusal of a request for another mail to an address whose limit is used up. */
export function mailedTooOften(): Problem {
  return problem('rate_limited', 'This address was mailed too often. Try again in an hour.', {
    headers: { 'Retry-After': String(periodSeconds) },
  });
}
