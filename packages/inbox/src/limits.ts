import { lease, type BackOff } from '@taskwire/lifecycle';

export type InboxLimits = {
  /** The maximum number of unacknowledged messages, including those that wait behind another one with the same key. */
  prefetch: number;
  /**
   * The maximum number of concurrent handlers of new messages, and separately of recorded messages. The number is high because handlers spend most of
   * their time waiting for the network.
   */
  concurrency: number;
  /** A handler that has not decided within this time times out and is retried. Must be longer than the timeout of any call that it makes. */
  handleTimeoutMs: number;
  /** How long a recorded message stays leased to a process that died. A live process renews each lease four times in this period. */
  leaseMs: number;
  /**
   * The maximum number of attempts before a message becomes a dead letter. With the back-off below, the last attempt is made on average 13 minutes
   * after the first, and at most 27 minutes after it: longer than a deploy. Outages of dependencies are covered by `claimWhile` and `unavailable`.
   */
  maxAttempts: number;
  /**
   * How long a message may find a dependency unavailable before it becomes a dead letter, to be replayed. This is longer than any outage that
   * operators tolerate.
   */
  maxUnavailableMs: number;
  /**
   * How many processes may die while handling a message. A deploy, an eviction and an accident explain this many deaths; after more, the message is
   * the likely cause.
   */
  maxCrashes: number;
  backOff: BackOff;
  /** A message redelivered this often is recorded before it is attempted. Every lost connection causes one redelivery; the queue's limit is 5. */
  suspectAfterDeliveries: number;
  /**
   * How long message ids are remembered. A duplicate can arrive as late as a relay or broker returns from an outage; a week is longer than any such
   * outage.
   */
  retentionMs: number;
  /** How many days a dead letter is kept after it was replayed or dropped: longer than the investigation of an incident takes. */
  resolvedDeadLetterDays: number;
  /** How many days the audit of dead letters is kept: a year, plus the time for auditing that year. */
  deadLetterAuditDays: number;
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
  resolvedDeadLetterDays: 90,
  deadLetterAuditDays: 400,
};
