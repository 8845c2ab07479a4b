import type { DeliveryClass, Facts, NotificationType } from './notification-types.ts';

/** Another service cannot be asked at the moment. */
export type Unavailable = { kind: 'unavailable'; detail: string; retryAfterMs?: number };

/** What is known of a task, at least as new as was asked for. */
export type TaskAnswer =
  | { kind: 'task'; id: string; title: string; creatorId: string }
  /** Title and creator are null when this service never saw the task before it was deleted. */
  | { kind: 'deleted'; id: string; title: string | null; creatorId: string | null }
  | { kind: 'unheard_of' }
  | Unavailable;

/** A task that has everything that happened to it up to `asOf` (ISO 8601, microseconds). */
export type FindTask = (id: string, asOf: string, signal: AbortSignal) => Promise<TaskAnswer>;

/** Where a task stands, as far as it decides whether a notification is still worth sending. */
export type TaskNow =
  /** `state` is one of the contract's, or one that is newer than this build. The assignee of an ended task is the last one. */
  | { kind: 'task'; title: string; state: string; assigneeId: string | null }
  /** The title is null when this service never saw the task before it was deleted. */
  | { kind: 'deleted'; title: string | null };

/**
 * Where a task stands at this moment. `doubt` says why that is not certain; then `now` is what was known last, and undefined when nothing was.
 * `recentMs`: how old an answer may be that is already here, in milliseconds; 0 asks Tasks in any case.
 */
export type FindTaskNow = (
  id: string,
  asking: { recentMs: number; signal: AbortSignal },
) => Promise<{ now: TaskNow | undefined; doubt: string | null }>;

export type Person = { kind: 'person'; id: string; name: string; email: string; isEmailVerified: boolean };

/** Name and address are null for a deletion that was the first thing heard of the user, until the next sweep; the address is empty once erased. */
export type DeletedPerson = { kind: 'deleted'; name: string | null; email: string | null; isEmailVerified: boolean };

/** A person as the directory knows them; asks Auth for one that it does not know. */
export type FindPerson = (id: string) => Promise<Person | DeletedPerson | { kind: 'unheard_of' } | Unavailable>;

/** Finds whom to notify about an account. `deletedAt`: the deletion that it is about, so that somebody who never arrived here is still found. */
export type FindAccountHolder = (id: string, deletedAt?: string) => ReturnType<FindPerson>;

/** A link of Auth's, as good as a password while it works: for one mail, and to be kept nowhere. */
export type AccountLink = {
  email: string;
  link: string;
  expiresAt: string;
  /** Who caused the mail, when and from where; absent where Auth does not say. */
  requested?: { at: string; by: string; network: string | null; browser: string | null };
  /** When an account whose address nobody verifies is deleted. */
  deletedUnlessVerifiedBy?: string;
};

/**
 * Asks Auth for a link, for one delivery: Auth answers no other. `ended`: it does not work any more, or was read for another delivery, and which.
 */
export type FindLink = (
  id: string,
  asking: { deliveryId: string; signal: AbortSignal },
) => Promise<({ kind: 'link' } & AccountLink) | { kind: 'ended'; reason: string } | Unavailable>;

/** A notification to be written, with the deliveries that it calls for. */
export type NewNotification = {
  /** The id of the message that it comes from. */
  eventId: string;
  /** Null for a mail to somebody who has no account. */
  userId: string | null;
  type: NotificationType;
  taskId: string | null;
  /** The user who caused it; null for the system itself. */
  actorId: string | null;
  /** When it happened (ISO 8601), by which deliveries about one task to one person are ordered; null where they need no order. */
  happenedAt: string | null;
  facts: Facts;
  /** Null where it is not told in the app. */
  words: { title: string; body: string } | null;
  class: DeliveryClass;
  channels: readonly { name: string; state: 'pending' | 'sent' }[];
};

/** What an event calls for. */
export type Plan =
  | { kind: 'tell'; notifications: readonly NewNotification[] }
  | { kind: 'later'; reason: string; afterMs?: number }
  /** It can never be carried out; somebody has to look at it. */
  | { kind: 'impossible'; reason: string };
