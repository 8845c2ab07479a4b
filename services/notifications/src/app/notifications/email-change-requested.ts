import { defineAccountNotification } from './definition.ts';

/** Sent to the current address before anything has changed. */
export const emailChangeRequested = defineAccountNotification({
  event: 'auth.account.email_change_requested',
  recipient: 'the user',
  mailKind: 'security',
  read: () => ({}),
  handlerName: 'warn the old address',
  inApp: () => ({
    title: 'A new e-mail address was requested',
    body: 'It replaces your current address once it is confirmed. If this was not you, set a new password now: that cancels the change.',
  }),
  mail: () => ({
    subject: 'A new e-mail address was requested for your account',
    paragraphs: [
      'A change of the e-mail address of your Taskwire account was requested. Nothing changes until the new address is confirmed.',
      'If this was not you, set a new password now: that cancels the change and logs out all sessions.',
    ],
    link: { label: 'This was not me: set a new password', path: '/oidc/account/forgot' },
  }),
});
