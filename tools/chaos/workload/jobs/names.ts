/** The queue of the workload, which its clients are registered for. */
export const jobQueue = 'chaos';
/** The concurrency key with a limit, and the limit. */
export const limitedKey = 'limited';
export const mostRunning = 2;
