import type { Template } from './template.ts';
import type { AccountLink } from '../ports.ts';
import { requestInWords, timeInWords } from './wording.ts';

export const verifyEmail: Template = {
  linkMail: (accountLink) => ({
    subject: 'Verify your e-mail address',
    paragraphs: [
      story(accountLink),
      'If this was you, confirm on the page below that the address is yours. If it was somebody else, either do nothing, or set a password there: the account is yours then, and they are logged out.',
      `The link works once, until ${timeInWords(accountLink.expiresAt)}.${end(accountLink)}`,
    ],
    link: { label: 'Verify the address', href: accountLink.link },
  }),
};

function story({ requested }: AccountLink): string {
  const when = requestInWords(requested);
  if (requested?.by === 'registration') return `Somebody registered a Taskwire account with this address${when}.`;
  if (requested?.by === 'admin') return `An admin made a Taskwire account with this address${when}.`;
  return `There is a Taskwire account with this address, and somebody asked for this mail${when}.`;
}

function end({ deletedUnlessVerifiedBy: by }: AccountLink): string {
  return by === undefined ? '' : ` If nobody verifies the address, the account is deleted after ${timeInWords(by)}.`;
}
