import type { RawRoute } from '@taskwire/http-server';
import { Problem } from '@taskwire/errors';

type Request = Parameters<RawRoute['handle']>[0];

/** Returns a failure that can be shown on the submitted page, and sets the failure's headers on the response. @throws any other failure. */
export function refusalOf(failure: unknown, request: Request): Problem {
  if (!(failure instanceof Problem) || (failure.status >= 500 && failure.code !== 'unavailable')) throw failure;
  for (const [name, value] of Object.entries(failure.headers)) request.res?.setHeader(name, value);
  return failure;
}

export function refusalText({ title, detail }: Problem): string {
  return detail === `${title}.` ? detail : `${title}. ${detail}`;
}
