import type { Unavailable } from '@taskwire/http-client';
import type { DeliveryPolicy, TemplateData, NotificationType } from './notification-types.ts';

/** A task, at least as recent as requested. */
export type TaskLookup =
  | { kind: 'task'; id: string; title: string; creatorId: string }
  /** Title and creator are null when the task was deleted before this service first saw it. */
  | { kind: 'deleted'; id: string; title: string | null; creatorId: string | null }
  | { kind: 'not_found' }
  | Unavailable;

/** Finds a task, including all its changes up to `asOf` (ISO 8601, microseconds). */
export type FindTask = (id: string, asOf: string, signal: AbortSignal) => Promise<TaskLookup>;

/** The current state of a task, as needed to decide whether a notification is still worth sending. */
export type TaskNow =
  /**
   * `state` is one of the contract's states, or one newer than this build. A completed or cancelled task keeps its last
   * assignee.
   */
  | { kind: 'task'; title: string; state: string; assigneeId: string | null }
  /** The title is null when the task was deleted before this service first saw it. */
  | { kind: 'deleted'; title: string | null };

/**
 * Finds the current state of a task. `uncertainty` says why the result is uncertain; then `now` is the last known state, or
 * undefined if there is none. `recentMs` is the maximum age of a cached response, in milliseconds; 0 always queries
 * Tasks.
 */
export type FindTaskNow = (
  id: string,
  asking: { recentMs: number; signal: AbortSignal },
) => Promise<{ now: TaskNow | undefined; uncertainty: string | null }>;

export type User = { kind: 'user'; id: string; name: string; email: string; isEmailVerified: boolean };

/**
 * Name and address are null until the next reconciliation if the deletion was the first event about the user. The
 * address is empty once erased.
 */
export type DeletedUser = { kind: 'deleted'; name: string | null; email: string | null; isEmailVerified: boolean };

/** Looks a user up in the directory, and in Auth if the directory doesn't know them. */
export type FindUser = (id: string) => Promise<User | DeletedUser | { kind: 'not_found' } | Unavailable>;

/**
 * Finds whom to notify about an account. `deletedAt` is the time of the deletion to report, so that a user who never
 * reached this directory is still found.
 */
export type FindAccountHolder = (id: string, deletedAt?: string) => ReturnType<FindUser>;

/**
 * An account link from Auth, as sensitive as a password while valid. It is used for one mail and must never be stored.
 */
export type AccountLink = {
  email: string;
  link: string;
  expiresAt: string;
  /** The cause, time and origin of the request for the mail; absent when Auth doesn't say. */
  requested?: { at: string; by: string; network: string | null; browser: string | null } | undefined;
  /** When the account is deleted unless its address is verified. */
  deletedUnlessVerifiedBy?: string | undefined;
};

/**
 * Requests a link from Auth for one delivery; Auth returns it to no other. `ended`: the link is no longer valid, or was
 * read for another delivery; `reason` says which.
 */
export type FindLink = (
  id: string,
  asking: { deliveryId: string; signal: AbortSignal },
) => Promise<({ kind: 'link' } & AccountLink) | { kind: 'ended'; reason: string } | Unavailable>;

/** A new notification with its planned deliveries. */
export type NewNotification = {
  /** The id of the message that caused it. */
  eventId: string;
  /** Null for a mail to a recipient without an account. */
  userId: string | null;
  type: NotificationType;
  taskId: string | null;
  /** The user who caused it; null for the system itself. */
  actorId: string | null;
  /**
   * The time of the event (ISO 8601), which orders deliveries to one user about one task; null when no order is needed.
   */
  happenedAt: string | null;
  templateData: TemplateData;
  /** Null when it isn't shown in the app. */
  content: { title: string; body: string } | null;
  deliveryPolicy: DeliveryPolicy;
  channels: readonly { name: string; state: 'pending' | 'sent' }[];
};

/** The notifications that an event requires, or why they can't be planned. */
export type Plan =
  | { kind: 'notify'; notifications: readonly NewNotification[] }
  | { kind: 'retry_later'; reason: string; afterMs?: number | undefined }
  /** Can never be processed and needs an operator's attention. */
  | { kind: 'impossible'; reason: string };
