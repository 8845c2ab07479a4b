import { createHmac, randomBytes } from 'node:crypto';
import type { RawRoute } from '@taskwire/http-server';
import { problem } from '@taskwire/errors';
import { hasToken } from './form.ts';

type Request = Parameters<RawRoute['handle']>[0];
type Response = Parameters<RawRoute['handle']>[1];

export type OwnForms = {
  /** Returns the token for this browser's forms. Sets the cookie if the browser doesn't have one yet. */
  tokenFor(request: Request, response: Response): string;
  /** @throws Problem `forbidden` for a form that this service didn't show to this browser. */
  requireOwn(request: Request, form: URLSearchParams): void;
};

const cookieName = 'taskwire_forms';
/** 128 random bits. */
const cookiePattern = /(?:^|;\s*)taskwire_forms=([\w-]{22})(?:;|$)/;

/**
 * CSRF protection for forms on pages outside any log-in (OWASP's CSRF cheat sheet, signed double submit). The token is an HMAC over a cookie that
 * other sites can neither read nor send. The Origin header can't be used here: pages with `no-referrer` have none.
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
      if (!isOwn || isFromElsewhere)
        throw problem('forbidden', 'This form was not issued to this browser. Go back, and try again.');
    },
  };
}
