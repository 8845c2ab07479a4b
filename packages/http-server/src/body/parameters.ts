import { problem } from '@taskwire/errors';

/**
 * OpenID Connect has the longest queries, with about 25 parameters. The cost at which the OpenID provider parses a query grows with the square of the
 * number of parameters.
 */
const mostParameters = 100;

/**
 * Rejects text in query form (`a=1&b=2`) before parsing it, if it has more parameters than any legitimate request.
 * @throws Problem `bad_request`.
 */
export function refuseManyParameters(text: string): void {
  let found = 1;
  for (let at = text.indexOf('&'); at !== -1; at = text.indexOf('&', at + 1)) found++;
  if (found > mostParameters) throw problem('bad_request', `Send at most ${mostParameters} parameters.`);
}

/** Applies `refuseManyParameters` to the query of a URL. */
export function refuseWideQuery(url: string): void {
  const at = url.indexOf('?');
  if (at !== -1) refuseManyParameters(url.slice(at + 1));
}
