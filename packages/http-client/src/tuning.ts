/** Times are in milliseconds. */
export type ServiceClientTuning = {
  /** The time that a call has when its caller does not say: longer than two attempts that hang, shorter than people wait. */
  timeoutMs: number;
  /** A connection inside a data centre takes a few ms; one that is not there after a lost SYN and its first repetition (1 s) will not come. */
  connectTimeoutMs: number;
  /** The reads are single rows or pages; one that says nothing for so long has hung. */
  headersTimeoutMs: number;
  bodyTimeoutMs: number;
  /** The largest body that is read, in bytes; a page of 100 users is about 40 KB. */
  maxBodyBytes: number;
  /** Requests at the same time, and so connections. */
  maxRunning: number;
  /** Calls that may wait for a place; more would time out there. */
  maxWaiting: number;
  /** Requests for one call, the first included, and the pauses between them. */
  maxAttempts: number;
  retryPauseMs: number;
  maxRetryPauseMs: number;
  /** Retries as a share of calls, and how many are there from the start. */
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
  retryPauseMs: 50,
  maxRetryPauseMs: 1_000,
  retryShare: 0.1,
  retryReserve: 10,
  volumeThreshold: 10,
  errorThresholdPercentage: 50,
  resetAfterMs: 5_000,
};
