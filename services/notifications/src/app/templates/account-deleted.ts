import { say } from './phrase.ts';
import type { Template } from './template.ts';
import { accountActorIn, timeInWords } from './wording.ts';

/** By e-mail only: a deleted user can't open the app. */
export const accountDeleted: Template = {
  mail: (told) => ({
    subject: 'Your account was deleted',
    paragraphs: [
      say`${accountActorIn(told)} deleted your Taskwire account.`,
      told.restorableUntil === null
        ? 'If you did not do this, contact an administrator. A deleted account cannot be restored.'
        : `If this was a mistake, or you did not do this, ask an administrator to restore the account. This is possible until ${timeInWords(told.restorableUntil)}.`,
    ],
    link: { label: 'Open Taskwire', path: '/' },
  }),
};
