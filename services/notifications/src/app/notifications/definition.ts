import type { EventPayload, EventType } from '@taskwire/contracts';
import type { DeliveryPolicy, MailKind, TemplateData } from '../notification-types.ts';
import type { AccountLink } from '../ports.ts';
import type { Phrase, Written } from './phrase.ts';
import type { Mail, TemplateInput } from './template.ts';

/** Everything that is specific to one type of notification. definitions.ts lists all definitions. */
export type NotificationDefinition = TaskNotification | AccountNotification;

/** The texts for each channel. On a channel without a text, the type is not delivered. */
type Texts = {
  inApp?(input: TemplateInput, recipient: Written): { title: Phrase; body: Phrase };
  mail?(input: TemplateInput): Mail;
  /**
   * Replaces `mail` for mails with a link from Auth. The link is created when the mail is sent, and the mail is sent to the address of the link. Such
   * a mail contains no user-written text.
   */
  linkMail?(link: AccountLink): Mail;
};

type Delivery = {
  /** The recipient, as named in the README's table. */
  recipient: string;
  deliveryPolicy: DeliveryPolicy;
  /** The kind under which its mails are counted, if it has any. */
  mailKind: MailKind;
};

/** An event that names a task, and its performer or the users whom a comment mentions. */
export type NotifiedEventType = {
  [T in EventType]: EventPayload<T> extends { task_uuid: string; actor: string | null } & Named ? T : never;
}[EventType];
type Named = { assigned_to: string | null } | { unassigned_from: string } | { mentions: string[] };

/**
 * The users who may be notified about a task: the performer named in the event, the task's creator or current performer, or the users whom a comment
 * mentions and did not mention before. Never the actor.
 */
export type Audience = 'named' | 'creator' | 'performer' | 'mentioned';

/** A notification about a task event. */
export type TaskNotification = Delivery &
  Texts & {
    about: 'task';
    events: readonly NotifiedEventType[];
    audience: readonly Audience[];
    /**
     * Whether to notify if the task has since been deleted. Unassignment and completion still matter; new work doesn't.
     */
    whenDeleted: 'notify' | 'skip';
    /**
     * Set for a notification that neither supersedes another one nor is superseded. Other notifications report the current state of the task, so a
     * later one supersedes an earlier one whose mail still waits.
     */
    standsAlone?: true;
    /**
     * Says why a waiting mail is obsolete given the current state of its task; undefined if it is still worth sending. Absent for notifications that
     * never become obsolete. `whenDeleted` covers deleted tasks.
     */
    obsoleteReason?(
      task: TaskProgress,
      recipientId: string | null,
      templateData: Pick<TemplateData, 'due'>,
    ): string | undefined;
  };

/**
 * `state` is one of the contract's states, or a state that is newer than this build. `dueAt` is UTC with microseconds, and undefined if it isn't
 * known.
 */
export type TaskProgress = { state: string; assigneeId: string | null; dueAt?: string | null | undefined };

/** The details of an account event that are needed for its notification. */
export type AccountDetails = {
  linkId?: string;
  /** The actor, if the event names one; null for the command line. */
  actorId?: string | null;
  /** The other user that the notification is about. */
  subjectId?: string;
  role?: string;
  /** The time at which a deletion was committed. */
  deletedAt?: string;
  restorableUntil?: string | null;
};

/** The events that name a user. */
export type AccountEventType = {
  [T in EventType]: EventPayload<T> extends { user_id: string } ? T : never;
}[EventType];

/** A notification about an account event. */
export type AccountNotification = Delivery &
  Texts & {
    about: 'account';
    /** Whether a deleted user still receives it, at their former address. Only the notification of the deletion itself is sent to deleted users. */
    reachesDeletedUsers?: true;
  } & (ReadEvent | { event: EventType; read?: undefined });

/** An event whose notification is sent to the user that it names. */
type ReadEvent = {
  event: AccountEventType;
  /** Called with the event as parsed by its schema. */
  read(event: never): AccountDetails;
  /**
   * The name of the handler, required for the second type of the same event. The name is stored with each handled message, so after a change,
   * redelivered events notify users again.
   */
  handlerName?: string;
};

type AccountTexts = Texts & Omit<Delivery, 'deliveryPolicy'> & Pick<AccountNotification, 'reachesDeletedUsers'>;

export function defineTaskNotification(
  definition: Omit<TaskNotification, 'about' | 'deliveryPolicy' | 'mailKind'>,
): TaskNotification {
  return { about: 'task', deliveryPolicy: 'keep_unknown', mailKind: 'task', ...definition };
}

/** Defines a notification to the user named in an event. */
export function defineAccountNotification<T extends AccountEventType>(
  definition: AccountTexts &
    Omit<ReadEvent, 'event' | 'read'> & { event: T; read(event: EventPayload<T>): AccountDetails },
): AccountNotification {
  return { about: 'account', deliveryPolicy: 'resend_once', ...definition };
}

/** Defines a notification whose event has its own handler in messaging/handlers.ts. */
export function defineNotificationWithHandler(definition: AccountTexts & { event: EventType }): AccountNotification {
  return { about: 'account', deliveryPolicy: 'resend_once', ...definition };
}

/** Reads an event that names a link. */
export function linkOf({ link_id: linkId }: { link_id: string }): AccountDetails {
  return { linkId };
}
