import type { Template } from './template.ts';
import { timeInWords } from './wording.ts';

export const verifyEmail: Template = {
  linkMail: ({ link, expiresAt }) => ({
    subject: 'Verify your e-mail address',
    paragraphs: [
      'Please confirm that this address is yours: open the page below, and press the button there.',
      `The link works once, until ${timeInWords(expiresAt)}. If you have no account at Taskwire, do nothing.`,
    ],
    link: { label: 'Verify the address', href: link },
  }),
};
