import type { Facts, NotificationType } from './notification-types.ts';

/** One notification to be delivered on one channel. */
export type Delivery = {
  id: string;
  notificationId: string;
  /** Null for somebody who has no account; such a mail goes to the address of its link. */
  userId: string | null;
  type: NotificationType;
  facts: Facts;
  /** The user who caused it; null for the system itself, and once Auth has erased them. */
  actorId: string | null;
  /** From 1. */
  attempt: number;
};

/** How an attempt ended. `detail` goes into the attempt log; it is for people and has no secrets. */
export type Verdict =
  | { kind: 'sent'; detail: string }
  /** For good: nothing would change if it were tried again. */
  | { kind: 'refused'; detail: string }
  /** There is no use in it any more, and nothing failed. */
  | { kind: 'skipped'; detail: string }
  /** This one has to wait; others may go. */
  | { kind: 'again'; detail: string; afterMs?: number }
  /** The channel itself does not work at the moment; nothing goes. */
  | { kind: 'away'; detail: string }
  /** It was handed over and no answer came: it may have arrived, or not. */
  | { kind: 'unknown'; detail: string };

/** What the loop gives to an attempt. */
export type Handover = {
  /**
   * To be awaited after everything that can fail without a trace, and before the first step after which the other side may have the message:
   * commits the state `sending`. Rejects when the attempt lost its claim; then nothing may be handed over.
   */
  begin(): Promise<void>;
  /** Aborted when the process stops or the claim runs out, as long as nothing was handed over; never after. */
  signal: AbortSignal;
};

/** A way to reach people. One file each; wire.ts has the list. */
export type Channel = {
  name: string;
  /** Whether this type goes out on this channel. */
  carries(type: NotificationType): boolean;
  /** Absent where the committed notification itself is the delivery. Rejects only for what is not the channel's fault. */
  deliver?(delivery: Delivery, handover: Handover): Promise<Verdict>;
};

/** A channel that has to send something. */
export type SendingChannel = Channel & Required<Pick<Channel, 'deliver'>>;

export function sends(channel: Channel): channel is SendingChannel {
  return channel.deliver !== undefined;
}
