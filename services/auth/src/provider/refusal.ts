import type { OwnPath } from '@taskwire/http-server';
import { Problem } from '@taskwire/errors';

type Request = Parameters<OwnPath['handle']>[0];

/** A failure that the person is told on the page that they came from; its headers are set on the answer of the request. @throws any other failure. */
export function refusalOf(failure: unknown, request: Request): Problem {
  if (!(failure instanceof Problem) || (failure.status >= 500 && failure.code !== 'unavailable')) throw failure;
  for (const [name, value] of Object.entries(failure.headers)) request.res?.setHeader(name, value);
  return failure;
}

export function refusalText({ title, detail }: Problem): string {
  return detail === `${title}.` ? detail : `${title}. ${detail}`;
}
