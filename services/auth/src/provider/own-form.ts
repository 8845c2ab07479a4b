import { createHmac, randomBytes } from 'node:crypto';
import type { OwnPath } from '@taskwire/http-server';
import { problem } from '@taskwire/errors';
import { hasToken } from './form.ts';

type Request = Parameters<OwnPath['handle']>[0];
type Response = Parameters<OwnPath['handle']>[1];

export type OwnForms = {
  /** The token for the forms of this browser, which gets a cookie if it has none. */
  tokenFor(request: Request, response: Response): string;
  /** @throws Problem `forbidden` for a form that was not shown to this browser by us. */
  requireOwn(request: Request, form: URLSearchParams): void;
};

const cookieName = 'taskwire_forms';
/** 128 random bits. */
const cookiePattern = /(?:^|;\s*)taskwire_forms=([\w-]{22})(?:;|$)/;

/**
 * Forms of pages that belong to nobody's log-in (OWASP's cheat sheet on CSRF, signed double submit): the token is an HMAC over a cookie that
 * other sites can neither read nor send. The origin that a browser names says nothing here: pages with `no-referrer` have none.
 */
export function ownForms({ issuer, formKey }: { issuer: string; formKey: Buffer }): OwnForms {
  const { origin, pathname, protocol } = new URL(issuer);
  const attributes = `Path=${pathname}/account; HttpOnly; SameSite=Lax${protocol === 'https:' ? '; Secure' : ''}`;

  function token(cookie: string): string {
    return createHmac('sha256', formKey).update(`account ${cookie}`).digest('base64url');
  }

  return {
    tokenFor(request, response) {
      const known = cookiePattern.exec(request.headers.cookie ?? '')?.[1];
      const cookie = known ?? randomBytes(16).toString('base64url');
      if (known === undefined) response.setHeader('Set-Cookie', `${cookieName}=${cookie}; ${attributes}`);
      return token(cookie);
    },
    requireOwn(request, form) {
      const cookie = cookiePattern.exec(request.headers.cookie ?? '')?.[1];
      const { origin: named, 'sec-fetch-site': site } = request.headers;
      const isFromElsewhere =
        (named !== undefined && named !== 'null' && named !== origin) || (site !== undefined && site !== 'same-origin');
      const isOwn = cookie !== undefined && hasToken(form, token(cookie));
      if (!isOwn || isFromElsewhere) throw problem('forbidden', 'The form is not one of ours. Go back, and try again.');
    },
  };
}
