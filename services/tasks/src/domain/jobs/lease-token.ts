/** Names a lease: the job, and the fence that grows with every lease. */
export type Lease = { id: string; fence: string };

/** Reads a token whose form the contract has checked. */
export function readLeaseToken(token: string): Lease {
  const [id = '', fence = ''] = token.split('.');
  return { id, fence };
}
