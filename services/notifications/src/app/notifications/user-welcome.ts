import { say } from './phrase.ts';
import { defineNotificationWithHandler } from './definition.ts';

/** In-app only: the only mail for a new account is the one that verifies its address. */
export const userWelcome = defineNotificationWithHandler({
  event: 'auth.user.created',
  recipient: 'the new user',
  mailKind: 'security',
  inApp: (_input, recipient) => ({
    title: 'Welcome to Taskwire',
    body: say`Hello ${recipient}! We'll notify you here about tasks assigned to you and updates to tasks you created.`,
  }),
});
