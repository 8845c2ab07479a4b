import { defineAccountNotification, linkOf } from './definition.ts';
import type { AccountLink } from '../ports.ts';
import { requestInWords } from './wording.ts';
import { timeInWords } from './time-in-words.ts';

export const verifyEmail = defineAccountNotification({
  event: 'auth.account.verification_requested',
  recipient: 'the address of the link',
  mailKind: 'link',
  read: linkOf,
  linkMail: (accountLink) => ({
    subject: 'Verify your e-mail address',
    paragraphs: [
      story(accountLink),
      'If this was you, confirm on the page below that the address is yours. If it was someone else, ignore this e-mail, or set a password there: the account becomes yours and they are logged out.',
      `The link works once, until ${timeInWords(accountLink.expiresAt)}.${end(accountLink)}`,
    ],
    link: { label: 'Verify the address', href: accountLink.link },
  }),
});

function story({ requested }: AccountLink): string {
  const when = requestInWords(requested);
  if (requested?.by === 'registration') return `A Taskwire account was registered with this address${when}.`;
  if (requested?.by === 'admin') return `An admin created a Taskwire account with this address${when}.`;
  return `A Taskwire account uses this address, and this e-mail was requested${when}.`;
}

function end({ deletedUnlessVerifiedBy: by }: AccountLink): string {
  return by === undefined
    ? ''
    : ` If the address is not verified, the account will be deleted after ${timeInWords(by)}.`;
}
