import { firstPartyClient } from '@taskwire/contracts';
import type { RequestOrigin } from '../domain/audit-context.ts';
import { deviceCookieOf } from './device-cookies.ts';

/** The details of a request that are independent of the framework handling it. */
export type RequestFacts = {
  ip: string | undefined;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  requestId: string | null;
  clientRequestId: string | null;
  /** The holder of the access token, if the request requires one. */
  actor?: { clientId: string } | undefined;
};

/** The origin of a request; `ip` is the address reported by a trusted proxy. Requests that need no token come from our own front end and pages. */
export function originOf({ ip = '', headers, requestId, clientRequestId, actor }: RequestFacts): RequestOrigin {
  const { 'user-agent': userAgent, cookie } = headers;
  return {
    ip: ip === '' ? null : ip,
    userAgent: typeof userAgent === 'string' ? userAgent : null,
    requestId,
    clientRequestId,
    clientId: actor?.clientId ?? firstPartyClient,
    deviceCookie: deviceCookieOf(typeof cookie === 'string' ? cookie : undefined),
  };
}
