import type { Template } from './template.ts';

export const passwordChanged: Template = {
  inApp: () => ({
    title: 'Your password was changed',
    body: 'You were logged out everywhere else. If it was not you, set a new password now.',
  }),
  mail: () => ({
    subject: 'Your password was changed',
    paragraphs: [
      'The password of your Taskwire account was changed, and you were logged out everywhere else.',
      'If it was not you, set a new password now, and tell those who run Taskwire.',
    ],
    // a page of Auth's, which the gateway has there
    link: { label: 'If it was not you: set a new password', path: '/oidc/account/forgot' },
  }),
};
