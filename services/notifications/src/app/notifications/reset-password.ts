import { defineAccountNotification, linkOf } from './definition.ts';
import { timeInWords } from './time-in-words.ts';

export const resetPassword = defineAccountNotification({
  event: 'auth.account.password_reset_requested',
  recipient: 'the address of the link',
  mailKind: 'link',
  read: linkOf,
  linkMail: ({ link, expiresAt }) => ({
    subject: 'Set a new password',
    paragraphs: [
      'We received a request to reset the password of your Taskwire account. You can set a new password on the page below.',
      `The link works once, until ${timeInWords(expiresAt)}. If you did not request this, ignore this e-mail: your password stays the same.`,
    ],
    link: { label: 'Set a new password', href: link },
  }),
});
