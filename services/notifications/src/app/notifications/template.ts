import type { TemplateData } from '../notification-types.ts';
import { dueInWords } from './time-in-words.ts';
import { written, type Phrase, type Written } from './phrase.ts';

/**
 * An e-mail before layout. The layout adds the greeting, because the address decides whether a mail may name its
 * recipient.
 */
export type Mail = {
  subject: Phrase;
  paragraphs: readonly Phrase[];
  /** With `path`, the link is relative to the public URL of the suite; `href` is absolute. */
  link: { label: string; path: string } | { label: string; href: string };
};

/** The data for definitions. It lacks the recipient's name, because mails to unverified addresses must not contain it. */
export type TemplateInput = {
  task: { id: string; title: Written; isDeleted: boolean } | null;
  actor: Written | null;
  /** Whether the recipient is the actor. */
  isOwnAct: boolean;
  /** The other user that an account notification is about. */
  subject: Written | null;
  /** The recipient's current role. */
  role: Written | null;
  /** The time until which a deletion can be undone; null if it can't be undone. */
  restorableUntil: string | null;
  /** The due date of the task, in words; null if the notification isn't about one. */
  due: string | null;
};

/** Marks the user-written parts in the data of a notification. */
export function templateInput({
  task,
  actor,
  isOwnAct,
  subject,
  role,
  restorableUntil,
  due,
}: TemplateData): TemplateInput {
  return {
    task: task === null ? null : { ...task, title: written(task.title) },
    actor: actor === null ? null : written(actor),
    isOwnAct: isOwnAct === true,
    subject: subject === undefined ? null : written(subject),
    role: role === undefined ? null : written(role),
    restorableUntil: restorableUntil ?? null,
    due: due === undefined ? null : dueInWords(due),
  };
}
