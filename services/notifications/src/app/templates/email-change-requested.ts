import type { Template } from './template.ts';

/** To the present address, before anything has changed. */
export const emailChangeRequested: Template = {
  inApp: () => ({
    title: 'A new e-mail address was requested',
    body: 'It replaces your present address once it is confirmed. If this was not you, set a new password now: that stops the change.',
  }),
  mail: () => ({
    subject: 'A new e-mail address was requested for your account',
    paragraphs: [
      'Somebody asked to replace the e-mail address of your Taskwire account. Nothing changes until the new address is confirmed.',
      'If this was not you, set a new password now: that stops the change, and logs everybody out.',
    ],
    link: { label: 'If it was not you: set a new password', path: '/oidc/account/forgot' },
  }),
};
