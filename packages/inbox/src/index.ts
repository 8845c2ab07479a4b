export { defineHandler, type Handler, type HandlerContext, type Order } from './handler.ts';
export { createInbox, inboxMigrations, type Inbox, type InboxOptions } from './inbox.ts';
export { type InboxLimits } from './limits.ts';
export { dead, done, retry, type Outcome } from './outcome.ts';
