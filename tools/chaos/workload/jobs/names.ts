/** The queue of the workload, which its clients are registered for. */
export const jobQueue = 'chaos';
/** The concurrency key with a limit, and the limit. */
export const limitedKey = 'limited';
export const mostRunning = 2;
/** The shortest lease that is permitted, so that a run sees many of them expire. */
export const leaseSeconds = 15;
/** When a silent worker returns, or a settlement arrives that was held back, unless its job is leased again first: around the end of its lease. */
export const returnMs = { min: 13_000, max: 26_000 };
/** The additional time of a job whose earlier worker is about to return, so that two workers have it at the same time. */
export const sharedMs = 800;
