import type { TemplateData } from '../notification-types.ts';
import type { AccountLink } from '../ports.ts';
import { written, type Phrase, type Written } from './phrase.ts';

/**
 * An e-mail before layout. The layout adds the greeting, because the address decides whether a mail may name its
 * recipient.
 */
export type Mail = {
  subject: Phrase;
  paragraphs: readonly Phrase[];
  /** `path` is relative to the public URL of the suite; `href` is absolute. */
  link: { label: string; path: string } | { label: string; href: string };
};

/** The data for templates. It lacks the recipient's name, because mails to unverified addresses must not contain it. */
export type TemplateInput = {
  task: { id: string; title: Written; isDeleted: boolean } | null;
  actor: Written | null;
  /** Whether the recipient is the actor. */
  isOwnAct: boolean;
  /** The other user that an account notification is about. */
  subject: Written | null;
  /** The recipient's current role. */
  role: Written | null;
  /** The time until which a deletion can be undone; null if it can't be. */
  restorableUntil: string | null;
};

/** The text of one type of notification on each channel. The type is not delivered on a missing channel. */
export type Template = {
  inApp?(told: TemplateInput, recipient: Written): { title: Phrase; body: Phrase };
  mail?(told: TemplateInput): Mail;
  /**
   * Replaces `mail` for mails with a link from Auth. The link is created when the mail is sent, which goes to the
   * address of the link. Such a mail contains no user-written text.
   */
  linkMail?(link: AccountLink): Mail;
};

/** Marks the user-written parts in the templateData of a notification. */
export function templateInput({ task, actor, isOwnAct, subject, role, restorableUntil }: TemplateData): TemplateInput {
  return {
    task: task === null ? null : { ...task, title: written(task.title) },
    actor: actor === null ? null : written(actor),
    isOwnAct: isOwnAct === true,
    subject: subject === undefined ? null : written(subject),
    role: role === undefined ? null : written(role),
    restorableUntil: restorableUntil ?? null,
  };
}
