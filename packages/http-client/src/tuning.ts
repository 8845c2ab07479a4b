import type { BackOff } from '@taskwire/lifecycle';

/** Times are in milliseconds. */
export type ServiceClientTuning = {
  /** The time limit of a call whose caller sets none: longer than two hanging attempts, but shorter than the time that people are willing to wait. */
  timeoutMs: number;
  /**
   * A connection inside a data centre takes a few ms. This limit allows for one lost SYN, which is retransmitted after 1 s; a later success is
   * unlikely.
   */
  connectTimeoutMs: number;
  /** Reads return single rows or pages; a service that sends nothing for this long has hung. */
  headersTimeoutMs: number;
  bodyTimeoutMs: number;
  /** The maximum size of a response body in bytes; a page of 100 users is about 40 KB. */
  maxBodyBytes: number;
  /** The maximum number of concurrent requests, and therefore of connections. */
  maxRunning: number;
  /** The maximum number of calls waiting for a slot; additional calls would time out while waiting. */
  maxWaiting: number;
  /** The maximum number of requests for one call, including the first. The pauses between requests follow. */
  maxAttempts: number;
  retryPause: BackOff;
  /** Retries as a share of calls, and the number available from the start. */
  retryShare: number;
  retryReserve: number;
  /** See BreakerOptions. */
  volumeThreshold: number;
  errorThresholdPercentage: number;
  resetAfterMs: number;
};

export const defaultTuning: ServiceClientTuning = {
  timeoutMs: 5_000,
  connectTimeoutMs: 1_500,
  headersTimeoutMs: 2_000,
  bodyTimeoutMs: 2_000,
  maxBodyBytes: 1_048_576,
  maxRunning: 16,
  maxWaiting: 256,
  maxAttempts: 3,
  retryPause: { baseMs: 50, capMs: 1_000, jitter: 'equal' },
  retryShare: 0.1,
  retryReserve: 10,
  volumeThreshold: 10,
  errorThresholdPercentage: 50,
  resetAfterMs: 5_000,
};
