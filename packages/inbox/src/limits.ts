import { lease, type BackOff } from '@taskwire/lifecycle';

export type InboxLimits = {
  /** Messages held at a time, also those that wait behind another of their key. */
  prefetch: number;
  /** Handlers of new messages that run at a time, and as many of recorded ones: they wait for the network mostly. */
  concurrency: number;
  /** A handler that has not decided by then is given up and tried again. Longer than any call that it makes with its own timeout. */
  handleTimeoutMs: number;
  /** How long a recorded message stays with a process that died. A living one renews its leases, four times in this time. */
  leaseMs: number;
  /** Attempts before a message is dead. With the back-off below the last comes 13 minutes after the first on average, 27 at most: longer than a deploy; outages of what handlers call are for `claimWhile` and `unavailable`. */
  maxAttempts: number;
  /** How long a message may find what its handler needs unavailable: longer than people let an outage last. After that it is a dead letter, for a replay. */
  maxUnavailableMs: number;
  /** Processes that may die over a message: beyond a deploy, an eviction and an accident it is the message. */
  maxCrashes: number;
  backOff: BackOff;
  /** A message that came back this often is recorded before it is tried. Once is what every lost connection does; the queue's limit is 5. */
  suspectAfterDeliveries: number;
  /** How long ids are remembered. A copy can come as late as a relay or broker that was down comes back; a week is longer than anybody leaves them. */
  retentionMs: number;
};

export const inboxLimits: InboxLimits = {
  prefetch: 200,
  concurrency: 32,
  handleTimeoutMs: 30_000,
  leaseMs: lease.ms,
  maxAttempts: 12,
  maxUnavailableMs: 2 * 24 * 3_600_000,
  maxCrashes: 5,
  backOff: { baseMs: 1_000, capMs: 600_000 },
  suspectAfterDeliveries: 2,
  retentionMs: 7 * 24 * 3_600_000,
};
