/** How far a priority moves a job forward. A job of priority 9 overtakes only jobs queued in the nine minutes before it, so no job starves. */
export const priorityStepSeconds = 60;

/** A payload that crashes its workers would do so for as long as it is retried. Two crashes may be bad luck, such as two deployments. */
export const mostCrashes = 3;

/**
 * Leases that no worker confirmed: the response to the claim was lost, or the worker died before its first heartbeat. They cost the job no attempt,
 * but a job whose delivery always fails must also end at some point.
 */
export const mostUndelivered = 10;

/**
 * The bytes of the jobs in one response. The proxies and clients on the way hold them in memory. Each job counts with its payload and half a KiB for
 * its other fields, which have at most 300 bytes besides queue and kind.
 */
export const largestClaimBytes = 4 * 1024 * 1024;
export const bytesBesidePayload = 512;
