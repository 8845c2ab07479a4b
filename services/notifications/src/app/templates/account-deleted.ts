import { say } from './phrase.ts';
import type { Template } from './template.ts';
import { accountActorIn, timeInWords } from './wording.ts';

/** By mail alone: whoever has no account cannot look into the app. */
export const accountDeleted: Template = {
  mail: (told) => ({
    subject: 'Your account was deleted',
    paragraphs: [
      say`${accountActorIn(told)} deleted your Taskwire account.`,
      told.restorableUntil === null
        ? 'If this was not your doing, tell an administrator. A deleted account cannot be restored.'
        : `If this was a mistake, or was not your doing, ask an administrator to restore the account. They can do so until ${timeInWords(told.restorableUntil)}.`,
    ],
    link: { label: 'Open Taskwire', path: '/' },
  }),
};
