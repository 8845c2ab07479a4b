import type { Facts } from '../notification-types.ts';
import type { AccountLink } from '../ports.ts';
import { written, type Phrase, type Written } from './phrase.ts';

/** An e-mail before it is laid out. The layout adds the greeting: whether a mail may name its recipient depends on the address. */
export type Mail = {
  subject: Phrase;
  paragraphs: readonly Phrase[];
  /** `path` is under the public address of the suite; `href` is whole. */
  link: { label: string; path: string } | { label: string; href: string };
};

/** What templates are filled with. The recipient is not in it: mails to addresses that nobody has verified must not contain their name. */
export type Told = {
  task: { id: string; title: Written; isDeleted: boolean } | null;
  actor: Written | null;
  /** Whether the recipient did it. */
  isOwnAct: boolean;
  /** The other user that it is about, of an account. */
  subject: Written | null;
  /** The role that the recipient has now. */
  role: Written | null;
  /** Until when a deletion can be taken back; null for never. */
  restorableUntil: string | null;
};

/** How one type of notification is said on each channel; on one that is missing it is not told. */
export type Template = {
  inApp?(told: Told, recipient: Written): { title: Phrase; body: Phrase };
  mail?(told: Told): Mail;
  /** In the place of `mail`: with a link of Auth's, which is made when the mail is sent, and goes to the address of the link. Nobody's text is in it. */
  linkMail?(link: AccountLink): Mail;
};

/** Marks what people wrote in the facts of a notification. */
export function toldOf({ task, actor, isOwnAct, subject, role, restorableUntil }: Facts): Told {
  return {
    task: task === null ? null : { ...task, title: written(task.title) },
    actor: actor === null ? null : written(actor),
    isOwnAct: isOwnAct === true,
    subject: subject === undefined ? null : written(subject),
    role: role === undefined ? null : written(role),
    restorableUntil: restorableUntil ?? null,
  };
}
