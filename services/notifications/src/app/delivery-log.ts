import type { Delivery, Verdict } from './channel.ts';

/** Why a delivery was not sent, in the attempt log. */
export const superseded = 'superseded by a later notification about the same task';

/** A delivery that this process has claimed. */
export type Claimed = Delivery & {
  /** What this attempt has to show to write anything. */
  claim: string;
  /** When the delivery was made, in milliseconds since the epoch. */
  createdAt: number;
  /** How many attempts before this one ended without an answer after the handover. */
  unknowns: number;
  class: string;
  /** Whether a later notification about the same task takes its place: it is not to be sent any more. */
  isSuperseded: boolean;
};

/** What becomes of the delivery after an attempt. `dueInMs` null ends it. */
export type Recorded = {
  state: 'pending' | 'sent' | 'failed' | 'skipped' | 'unknown';
  outcome: Verdict['kind'];
  detail: string;
  dueInMs: number | null;
};

/** The state of deliveries and the log of their attempts. Every write is fenced by the claim. */
export type DeliveryLog = {
  /**
   * Takes up to `limit` that are due, oldest first, for `leaseMs`; each is a new attempt, and others leave them alone. One about a task is not taken while
   * another to the same person about the same task is being sent.
   */
  claim(channel: string, limit: number, leaseMs: number): Promise<Claimed[]>;
  /** Holds claims for another `leaseMs`, also while they are being sent; those that were lost stay lost. */
  renew(claimed: readonly Claimed[], leaseMs: number): Promise<void>;
  /** Commits the state `sending`, in which a lease that runs out counts as unknown. False when the claim was lost. */
  beginSending(claimed: Claimed, leaseMs: number): Promise<boolean>;
  /** False when the claim was lost. */
  record(claimed: Claimed, recorded: Recorded): Promise<boolean>;
  /** Turns what was being sent by a process that is gone into `unknown`; the classes given are due again after `againInMs`, once. */
  markLost(channel: string, classesSentAgain: readonly string[], againInMs: number): Promise<number>;
};

/** What waits, by channel and state. `oldestSeconds` is the age of the oldest of them. */
export type OpenDeliveries = { channel: string; state: string; count: number; oldestSeconds: number };
