import type { TemplateData, NotificationType } from './notification-types.ts';

/** A notification to be delivered on one channel. */
export type Delivery = {
  id: string;
  notificationId: string;
  /** The message id of the event that the notification is about. */
  eventId: string;
  /** Null for a notification that is not about a task. */
  taskId: string | null;
  /** Null for a recipient without an account. The mail to such a recipient is sent to the address of its link. */
  userId: string | null;
  type: NotificationType;
  templateData: TemplateData;
  /** The user who caused the notification; null for the system itself, and after Auth has erased the user. */
  actorId: string | null;
  /** Starts at 1. */
  attempt: number;
};

/** The result of an attempt. `detail` is stored in the attempt log; it is meant for human readers and contains no secrets. */
export type AttemptResult =
  | { kind: 'sent'; detail: string }
  /** Permanent: a retry would change nothing. */
  | { kind: 'refused'; detail: string }
  /** No longer worth delivering; nothing failed. */
  | { kind: 'skipped'; detail: string }
  /** This delivery must be retried later; others can be sent. */
  | { kind: 'retry'; detail: string; afterMs?: number | undefined }
  /** The channel itself is unavailable at the moment, so no delivery can be sent. */
  | { kind: 'channel_unavailable'; detail: string }
  /** The message was handed off but got no response: it may or may not have arrived. */
  | { kind: 'unknown'; detail: string };

/** The means by which an attempt reports its handoff to the loop. */
export type Handoff = {
  /**
   * Commits the state `sending`. Must be awaited after every step that can fail without side effects, and before the
   * first step after which the other side may have the message. Rejects when the attempt has lost its lease; then
   * nothing may be handed off.
   */
  begin(): Promise<void>;
  /** Aborted when the process stops or the attempt times out, but only until the handoff begins. */
  signal: AbortSignal;
};

/** A way to reach recipients. Each channel is one file or folder; wire/delivery.ts lists them all. */
export type Channel = {
  name: string;
  /** Whether this channel delivers notifications of this type. */
  supports(type: NotificationType): boolean;
  /** Absent when the committed notification itself is the delivery. Rejects only for failures outside the channel. */
  deliver?(delivery: Delivery, handoff: Handoff): Promise<AttemptResult>;
};

/** A channel that sends deliveries itself. */
export type SendingChannel = Channel & Required<Pick<Channel, 'deliver'>>;

export function sends(channel: Channel): channel is SendingChannel {
  return channel.deliver !== undefined;
}
