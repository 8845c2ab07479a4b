import type { Unavailable } from '@taskwire/http-client';
import type { DeliveryPolicy, TemplateData, NotificationType } from './notification-types.ts';

/**
 * The users who may read a task, or may have read it before it was deleted, besides managers and admins, who may read every task; null if every user may.
 */
export type Readers = readonly string[] | null;

/** A task, in a state that is at least as recent as requested. */
export type TaskLookup =
  | { kind: 'task'; id: string; title: string; creatorId: string; assigneeId: string | null; readers: Readers }
  /** Title and creator are null if the task was deleted before this service first saw it. */
  | { kind: 'deleted'; id: string; title: string | null; creatorId: string | null; readers: Readers }
  | { kind: 'not_found' }
  | Unavailable;

/** Finds a task, including all its changes up to `asOf` (ISO 8601, microseconds). */
export type FindTask = (id: string, asOf: string, signal: AbortSignal) => Promise<TaskLookup>;

/** The current state of a task, as needed to decide whether a notification is still worth sending. */
export type TaskNow =
  /**
   * `state` is one of the contract's states, or one newer than this build. A completed or cancelled task keeps its last
   * assignee. `dueAt` is UTC with microseconds, and undefined if it isn't known.
   */
  | {
      kind: 'task';
      title: string;
      state: string;
      assigneeId: string | null;
      dueAt?: string | null | undefined;
      readers: Readers;
    }
  /** The title is null if the task was deleted before this service first saw it. */
  | { kind: 'deleted'; title: string | null; readers: Readers };

/**
 * Finds the current state of a task. If the result is uncertain, `uncertainty` gives the reason, and `now` is the last known state, or undefined if
 * none is known. `recentMs` is the maximum age of a cached response, in milliseconds; 0 always queries Tasks.
 */
export type FindTaskNow = (
  id: string,
  asking: { recentMs: number; signal: AbortSignal },
) => Promise<{ now: TaskNow | undefined; uncertainty: string | null }>;

export type User = {
  kind: 'user';
  id: string;
  name: string;
  email: string;
  isEmailVerified: boolean;
  /** Whether the user is a manager or an admin. */
  isLeader: boolean;
};

/**
 * Name and address are null until the next reconciliation if the deletion was the first event about the user. After the erasure, the address is
 * empty.
 */
export type DeletedUser = { kind: 'deleted'; name: string | null; email: string | null; isEmailVerified: boolean };

/** Looks a user up in the directory, and in Auth if the directory doesn't know them. */
export type FindUser = (id: string) => Promise<User | DeletedUser | { kind: 'not_found' } | Unavailable>;

/**
 * Finds the user to notify about an account. `deletedAt` is the time of the deletion to report; with it, even a user whom this directory has never
 * had is found.
 */
export type FindAccountHolder = (id: string, deletedAt?: string) => ReturnType<FindUser>;

/**
 * An account link from Auth, as sensitive as a password while valid. It is used for one mail and must never be stored.
 */
export type AccountLink = {
  email: string;
  link: string;
  expiresAt: string;
  /** The cause, time and origin of the request for the mail; absent if Auth doesn't send them. */
  requested?: { at: string; by: string; network: string | null; browser: string | null } | undefined;
  /** The time at which the account is deleted if its address has not been verified by then. */
  deletedUnlessVerifiedBy?: string | undefined;
};

/**
 * Requests a link from Auth for one delivery; Auth returns the link for no other delivery. `ended`: the link is no longer valid, or was read for
 * another delivery, as `reason` says.
 */
export type FindLink = (
  id: string,
  asking: { deliveryId: string; signal: AbortSignal },
) => Promise<({ kind: 'link' } & AccountLink) | { kind: 'ended'; reason: string } | Unavailable>;

/** A new notification with its planned deliveries. */
export type NewNotification = {
  /** The id of the message that caused the notification. */
  eventId: string;
  /** Null for a mail to a recipient without an account. */
  userId: string | null;
  type: NotificationType;
  taskId: string | null;
  /** The comment that the notification is about. Of several notifications of one user about a comment, only the first is written. */
  commentId: string | null;
  /** The user who caused the notification; null for the system itself. */
  actorId: string | null;
  /** The time of the event (ISO 8601), which orders deliveries to one user about one task; null if no order is needed. */
  happenedAt: string | null;
  templateData: TemplateData;
  /** Null if the notification isn't shown in the app. */
  content: { title: string; body: string } | null;
  deliveryPolicy: DeliveryPolicy;
  channels: readonly { name: string; state: 'pending' | 'sent' }[];
};

/** The notifications that an event requires, or the reason why they can't be planned. */
export type Plan =
  | { kind: 'notify'; notifications: readonly NewNotification[] }
  | { kind: 'retry_later'; reason: string; afterMs?: number | undefined }
  /** The event can never be processed, and needs an operator's attention. */
  | { kind: 'impossible'; reason: string };
