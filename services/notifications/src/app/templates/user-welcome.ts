import { say } from './phrase.ts';
import type { Template } from './template.ts';

/** In-app only: the only mail for a new account is the one that verifies its address. */
export const userWelcome: Template = {
  inApp: (_told, recipient) => ({
    title: 'Welcome to Taskwire',
    body: say`Hello ${recipient}! We'll notify you here about tasks assigned to you and updates to tasks you created.`,
  }),
};
