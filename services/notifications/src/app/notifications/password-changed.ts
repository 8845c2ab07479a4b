import { defineAccountNotification } from './definition.ts';

export const passwordChanged = defineAccountNotification({
  event: 'auth.account.password_changed',
  recipient: 'the user',
  mailKind: 'security',
  read: () => ({}),
  inApp: () => ({
    title: 'Your password was changed',
    body: 'You were logged out everywhere else. If this was not you, set a new password now.',
  }),
  mail: () => ({
    subject: 'Your password was changed',
    paragraphs: [
      'The password of your Taskwire account was changed, and you were logged out everywhere else.',
      'If this was not you, set a new password now and contact your administrator.',
    ],
    // the path of a page of Auth behind the gateway
    link: { label: 'This was not me: set a new password', path: '/oidc/account/forgot' },
  }),
});
