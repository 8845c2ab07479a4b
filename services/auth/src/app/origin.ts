import { firstPartyClient } from '@taskwire/contracts';
import type { Origin } from './audit.ts';
import { deviceProofOf } from './device-proofs.ts';

/** What is known of a request, whoever reads it. */
export type RequestFacts = {
  ip: string | undefined;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  requestId: string | null;
  clientRequestId: string | null;
  /** The holder of the access token, where the request needs one. */
  actor?: { clientId: string } | undefined;
};

/** Where a request comes from; `ip` is what a trusted proxy says. Whoever needs no token uses our own front end and pages. */
export function originOf({ ip = '', headers, requestId, clientRequestId, actor }: RequestFacts): Origin {
  const { 'user-agent': userAgent, cookie } = headers;
  return {
    ip: ip === '' ? null : ip,
    userAgent: typeof userAgent === 'string' ? userAgent : null,
    requestId,
    clientRequestId,
    clientId: actor?.clientId ?? firstPartyClient,
    deviceProof: deviceProofOf(typeof cookie === 'string' ? cookie : undefined),
  };
}
