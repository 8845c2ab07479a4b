import { defineAccountNotification, linkOf } from './definition.ts';
import { requestInWords } from './wording.ts';
import { timeInWords } from './time-in-words.ts';

/** Sent to the old address. The in-app text is shown to the current holder of the account, so it contains no link. */
export const emailChanged = defineAccountNotification({
  event: 'auth.account.email_changed',
  recipient: 'the old address',
  mailKind: 'undo',
  read: linkOf,
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
});
