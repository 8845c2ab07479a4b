import type { Origin } from './audit.ts';
import { deviceProofOf } from './device-proofs.ts';

/** What is known of a request, whoever reads it. */
export type RequestFacts = {
  ip: string | undefined;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  requestId: string | null;
};

/** Where a request comes from; `ip` is what a trusted proxy says. */
export function originOf({ ip = '', headers, requestId }: RequestFacts): Origin {
  const { 'user-agent': userAgent, cookie } = headers;
  return {
    ip: ip === '' ? null : ip,
    userAgent: typeof userAgent === 'string' ? userAgent : null,
    requestId,
    deviceProof: deviceProofOf(typeof cookie === 'string' ? cookie : undefined),
  };
}
