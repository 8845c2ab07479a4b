import { say } from './phrase.ts';
import { defineAccountNotification } from './definition.ts';
import { accountActorIn } from './wording.ts';
import { timeInWords } from './time-in-words.ts';

/** By e-mail only: a deleted user can't open the app. */
export const accountDeleted = defineAccountNotification({
  event: 'auth.account.deleted',
  recipient: 'the former owner',
  mailKind: 'security',
  read: ({ actor, timestamp, restorable_until }) => ({
    actorId: actor,
    deletedAt: timestamp,
    restorableUntil: restorable_until,
  }),
  reachesDeletedUsers: true,
  mail: (input) => ({
    subject: 'Your account was deleted',
    paragraphs: [
      say`${accountActorIn(input)} deleted your Taskwire account.`,
      input.restorableUntil === null
        ? 'If you did not do this, contact an administrator. A deleted account cannot be restored.'
        : `If this was a mistake, or you did not do this, ask an administrator to restore the account. This is possible until ${timeInWords(input.restorableUntil)}.`,
    ],
    link: { label: 'Open Taskwire', path: '/' },
  }),
});
