import { say } from './phrase.ts';
import type { Template } from './template.ts';
import { accountActorIn } from './wording.ts';

export const accountRestored: Template = {
  inApp: (told) => ({
    title: 'Your account was restored',
    body: say`${accountActorIn(told)} restored your account after it had been deleted.`,
  }),
  mail: (told) => ({
    subject: 'Your account was restored',
    paragraphs: [
      say`${accountActorIn(told)} restored your Taskwire account after it had been deleted.`,
      'Your old password no longer works. A separate e-mail has a link to set a new one. If that link has expired, request another one on the page below.',
    ],
    // a page of Auth, at its path behind the gateway
    link: { label: 'Request a link to set a new password', path: '/oidc/account/forgot' },
  }),
};
