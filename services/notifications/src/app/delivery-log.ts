import type { Delivery, Verdict } from './channel.ts';

/** The reason in the attempt log for skipping a delivery that has been superseded. */
export const superseded = 'superseded by a later notification about the same task';

/** A delivery that this process has claimed. */
export type Claimed = Delivery & {
  /** Fences the writes of this attempt: a write without the current claim has no effect. */
  claim: string;
  /** When the delivery was created, in milliseconds since the epoch. */
  createdAt: number;
  /** The number of earlier attempts that got no response after the handover. */
  unknowns: number;
  class: string;
  /** Whether a later notification about the same task supersedes this one, so that it must not be sent. */
  isSuperseded: boolean;
};

/** The state of a delivery after an attempt. `dueInMs` null means that no attempt follows. */
export type Recorded = {
  state: 'pending' | 'sent' | 'failed' | 'skipped' | 'unknown';
  outcome: Verdict['kind'];
  detail: string;
  dueInMs: number | null;
};

/** The store of deliveries and the log of their attempts. Every write is fenced by the claim. */
export type DeliveryLog = {
  /**
   * Claims up to `limit` due deliveries for `leaseMs`, oldest first. Each claim starts a new attempt and excludes other
   * workers. Skips a delivery about a task while another one to the same user about the same task is being sent.
   */
  claim(channel: string, limit: number, leaseMs: number): Promise<Claimed[]>;
  /** Renews claims for another `leaseMs`, also while the deliveries are being sent. Lost claims stay lost. */
  renew(claimed: readonly Claimed[], leaseMs: number): Promise<void>;
  /**
   * Commits the state `sending`; a lease that expires in this state counts as unknown. Returns false if the claim was
   * lost.
   */
  beginSending(claimed: Claimed, leaseMs: number): Promise<boolean>;
  /** Returns false if the claim was lost. */
  record(claimed: Claimed, recorded: Recorded): Promise<boolean>;
  /**
   * Marks deliveries whose process died while sending them as `unknown`. Deliveries of the given classes become due
   * again after `againInMs`, once.
   */
  markLost(channel: string, classesSentAgain: readonly string[], againInMs: number): Promise<number>;
};

/** Open deliveries by channel and state. `oldestSeconds` is the age of the oldest one. */
export type OpenDeliveries = { channel: string; state: string; count: number; oldestSeconds: number };
