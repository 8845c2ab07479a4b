/** A job as the response to a claim has it. */
export type ClaimedJob = {
  id: string;
  fence: number;
  lease_token: string;
  lease_expires_at: string;
  payload: { name: string };
};

/** An item of the response to a heartbeat. Without `lease_expires_at`, the lease is lost. */
export type ExtendedLease = {
  lease_token: string;
  outcome: string;
  lease_expires_at?: string;
  cancel_requested?: boolean;
};

/** An item of the response to a settlement. Without `state`, the lease is lost. */
export type SettledLease = { lease_token: string; outcome: string; state?: string };

/** The items of a response; none if it has another form. */
export function itemsOf<T>(body: Record<string, unknown>): T[] {
  return (body['data'] ?? []) as T[];
}
