import type { Template } from './template.ts';
import { timeInWords } from './wording.ts';

export const invitation: Template = {
  linkMail: ({ link, expiresAt }) => ({
    subject: 'You have been invited to Taskwire',
    paragraphs: [
      'A manager of tasks in Taskwire has invited you. Create your account on the page below.',
      `The link works once, until ${timeInWords(expiresAt)}. If you did not expect this invitation, ignore this e-mail.`,
    ],
    link: { label: 'Create your account', href: link },
  }),
};
