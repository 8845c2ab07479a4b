import type { Template } from './template.ts';
import { requestInWords, timeInWords } from './wording.ts';

/** To the old address; in the app to whoever has the account now, so without the link. */
export const emailChanged: Template = {
  inApp: () => ({
    title: 'Your e-mail address was changed',
    body: 'We sent your old address a link that undoes the change.',
  }),
  linkMail: ({ link, expiresAt, requested }) => ({
    subject: 'The e-mail address of your account was changed',
    paragraphs: [
      `The e-mail address of your Taskwire account was changed${requestInWords(requested)}. You no longer log in with this address.`,
      `If this was not you, undo the change on the page below: the account gets this address back, all sessions are logged out, and you set a new password. The link works until ${timeInWords(expiresAt)}.`,
    ],
    link: { label: 'Undo the change', href: link },
  }),
};
