import { ProblemError, type Taskwire, type types } from '@taskwire/client';

/** The operations that a worker uses. */
export type JobsApi = Pick<Taskwire['jobs'], 'claim' | 'heartbeat' | 'settle'>;

export type ClaimedJob = types.ClaimJobsResponse['data'][number];
export type Ending = DistributiveOmit<types.SettleJobsRequest['items'][number], 'lease_token'>;
type DistributiveOmit<T, Key extends PropertyKey> = T extends unknown ? Omit<T, Key> : never;

/** Whether a request was refused because of its content, so that a repetition would be refused again. */
export function isRefused(error: unknown): boolean {
  return error instanceof ProblemError && (error.status === 400 || error.status === 413 || error.status === 422);
}

/**
 * Whether a worker is registered or configured wrongly: its credentials, scope or queues are refused. OAuth's refusals of a token request have the
 * statuses 400 and 401.
 */
export function isMisconfigured(error: unknown): boolean {
  return error instanceof ProblemError && [400, 401, 403, 404, 413, 422].includes(error.status);
}

export function retryAfterMsOf(error: unknown): number | undefined {
  return error instanceof ProblemError ? error.retryAfterMs : undefined;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
