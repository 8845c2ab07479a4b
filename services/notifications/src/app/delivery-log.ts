import type { AttemptResult, Delivery } from './channel.ts';
import type { DeliveryPolicy } from './notification-types.ts';

/** The reason in the attempt log for skipping a delivery that has been superseded. */
export const superseded = 'superseded by a later notification about the same task';

/** W3C trace context, and the id of a request. */
export type CauseHeaders = { traceparent?: string; tracestate?: string; correlation_id?: string };

/** A delivery that this process has claimed. */
export type ClaimedDelivery = Delivery & {
  /** Fences the writes of this attempt: a write without the current lease has no effect. */
  leaseId: string;
  /** When the delivery was created, in milliseconds since the epoch. */
  createdAt: number;
  /** The number of earlier attempts that got no response after the handoff. */
  unknownOutcomes: number;
  /**
   * The number of earlier attempts whose result was `retry`. Attempts made while the channel was unavailable don't count, so that a long outage
   * doesn't lengthen the pauses of this delivery.
   */
  retries: number;
  deliveryPolicy: DeliveryPolicy;
  /** The trace and the id of the request that caused the delivery; null if it is not known. */
  headers: CauseHeaders | null;
  /** Whether a later notification about the same task supersedes this one, which then must not be sent. */
  isSuperseded: boolean;
};

/** The ids by which the log lines about a delivery are found. */
export type DeliveryIds = Pick<Delivery, 'id' | 'notificationId' | 'eventId' | 'taskId' | 'userId'>;

/** A delivery whose attempt has an unknown outcome, because its process ended. */
export type LostDelivery = DeliveryIds & {
  /** The number of the attempt. */
  attempt: number;
  /** The request that caused the delivery, and its trace. */
  requestId: string | undefined;
  traceId: string | undefined;
};

/** The state of a delivery after an attempt. If `nextAttemptInMs` is null, no attempt follows. */
export type RecordedAttempt = {
  state: 'pending' | 'sent' | 'failed' | 'skipped' | 'unknown';
  outcome: AttemptResult['kind'];
  detail: string;
  nextAttemptInMs: number | null;
};

/** The store of deliveries and the log of their attempts. Every write is fenced by the lease. */
export type DeliveryLog = {
  /**
   * Claims up to `limit` due deliveries for `leaseMs`, oldest first. Each claim starts a new attempt, and prevents other workers from claiming the
   * delivery. Skips a delivery about a task while another one to the same user about the same task is being sent.
   */
  claim(channel: string, limit: number, leaseMs: number): Promise<ClaimedDelivery[]>;
  /** Renews leases for another `leaseMs`, even while the deliveries are being sent. Lost leases stay lost. */
  renew(claimed: readonly ClaimedDelivery[], leaseMs: number): Promise<void>;
  /**
   * Commits the state `sending`; a lease that expires in this state counts as unknown. Returns false if the lease was
   * lost.
   */
  beginSending(claimed: ClaimedDelivery, leaseMs: number): Promise<boolean>;
  /** Returns false if the lease was lost. */
  record(claimed: ClaimedDelivery, recorded: RecordedAttempt): Promise<boolean>;
  /**
   * Marks deliveries whose process died while sending them as `unknown`. With the policy `resend_once`, they become due once more, after
   * `resendAfterMs`.
   */
  markLost(channel: string, resendAfterMs: number): Promise<LostDelivery[]>;
};

/** Open deliveries by channel and state. `oldestSeconds` is the age of the oldest one. */
export type OpenDeliveries = { channel: string; state: string; count: number; oldestSeconds: number };
