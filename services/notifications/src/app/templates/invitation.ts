import type { Template } from './template.ts';
import { timeInWords } from './wording.ts';

export const invitation: Template = {
  linkMail: ({ link, expiresAt }) => ({
    subject: 'You are invited to Taskwire',
    paragraphs: [
      'Somebody who manages tasks in Taskwire invites you to it. You can create your account on the page below.',
      `The link works once, until ${timeInWords(expiresAt)}. If you do not know what this is about, ignore this e-mail.`,
    ],
    link: { label: 'Create your account', href: link },
  }),
};
