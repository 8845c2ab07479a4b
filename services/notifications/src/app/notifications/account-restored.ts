import { say } from './phrase.ts';
import { defineAccountNotification } from './definition.ts';
import { accountActorIn } from './wording.ts';

export const accountRestored = defineAccountNotification({
  event: 'auth.account.restored',
  recipient: 'the user',
  mailKind: 'security',
  read: ({ actor }) => ({ actorId: actor }),
  inApp: (input) => ({
    title: 'Your account was restored',
    body: say`${accountActorIn(input)} restored your account after it had been deleted.`,
  }),
  mail: (input) => ({
    subject: 'Your account was restored',
    paragraphs: [
      say`${accountActorIn(input)} restored your Taskwire account after it had been deleted.`,
      'Your old password no longer works. A separate e-mail has a link to set a new one. If that link has expired, request another one on the page below.',
    ],
    // the path of a page of Auth behind the gateway
    link: { label: 'Request a link to set a new password', path: '/oidc/account/forgot' },
  }),
});
