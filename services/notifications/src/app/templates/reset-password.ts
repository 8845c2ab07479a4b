import type { Template } from './template.ts';
import { timeInWords } from './wording.ts';

export const resetPassword: Template = {
  linkMail: ({ link, expiresAt }) => ({
    subject: 'Set a new password',
    paragraphs: [
      'Somebody, you we hope, asked for a new password of your Taskwire account. You can set it on the page below.',
      `The link works once, until ${timeInWords(expiresAt)}. If it was not you, do nothing: your password stays as it is.`,
    ],
    link: { label: 'Set a new password', href: link },
  }),
};
