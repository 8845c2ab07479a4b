import { defineNotificationWithHandler } from './definition.ts';
import { timeInWords } from './time-in-words.ts';

export const invitation = defineNotificationWithHandler({
  event: 'auth.account.invitation_requested',
  recipient: 'the address of the link',
  mailKind: 'link',
  linkMail: ({ link, expiresAt }) => ({
    subject: 'You have been invited to Taskwire',
    paragraphs: [
      'A manager of tasks in Taskwire has invited you. Create your account on the page below.',
      `The link works once, until ${timeInWords(expiresAt)}. If you did not expect this invitation, ignore this e-mail.`,
    ],
    link: { label: 'Create your account', href: link },
  }),
});
