import type { Problem } from '@taskwire/errors';
import type { RawRoute } from '@taskwire/http-server';
import { isOfUsedLink } from '../domain/account-link.ts';
import { failedPage } from './pages/account-pages.ts';
import type { NextStep } from './pages/html.ts';
import { refusalOf } from './refusal.ts';

export type Request = Parameters<RawRoute['handle']>[0];
export type Response = Parameters<RawRoute['handle']>[1];

/** The response of a page. */
export type Answer = { status: number; body: string };

/** A request for a page, with the token for the forms on that page. */
export type Visit = { request: Request; response: Response; formToken: string };

/** A page below `<issuer>/account/`. */
export type Page = {
  name: string;
  /** Shows the page. Opening it changes nothing. */
  get(visit: Visit): Promise<Answer>;
  post(form: URLSearchParams, visit: Visit): Promise<Answer>;
};

export function ok(body: string): Answer {
  return { status: 200, body };
}

/** The page for a link that can't be used; if a new link can be requested, it says how. */
export function ended(refused: Problem, nextStep: NextStep | undefined): Answer {
  // a link that has already been used gets a different title from an invalid one
  const title = isOfUsedLink(refused) ? 'This link was used before' : 'This link is invalid or has expired';
  return { status: refused.status, body: failedPage({ title, text: refused.detail, nextStep }) };
}

/** Returns a failure that may be shown to the user on a page; throws any other. */
export async function refusal(work: () => Promise<unknown>, request: Request): Promise<Problem | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return refusalOf(error, request);
  }
}

/** The token in the URL of a page. */
export function tokenIn({ query }: Request): string {
  const { token } = query;
  return typeof token === 'string' ? token : '';
}
