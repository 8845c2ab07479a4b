import { defineAccountNotification, linkOf } from './definition.ts';
import { requestInWords } from './wording.ts';
import { timeInWords } from './time-in-words.ts';

/** The address may belong to a person who has nothing to do with the account, so the mail contains no text written by the account's holder. */
export const confirmEmail = defineAccountNotification({
  event: 'auth.account.email_change_requested',
  recipient: 'the new address',
  mailKind: 'link',
  read: linkOf,
  linkMail: ({ link, expiresAt, requested }) => ({
    subject: 'Confirm your new e-mail address',
    paragraphs: [
      `${requested?.by === 'admin' ? 'An admin' : 'Someone with a Taskwire account'} asked${requestInWords(requested)} to make this the e-mail address of the account.`,
      `If you expected this, confirm the address on the page below. The link works once, until ${timeInWords(expiresAt)}. Otherwise, ignore this e-mail: the account keeps its old address.`,
    ],
    link: { label: 'Confirm the address', href: link },
  }),
});
