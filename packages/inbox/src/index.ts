export { defineHandler, type Handler, type HandlerContext, type Order } from './handler.ts';
export { createInbox, inboxMigrations, type Inbox, type InboxOptions } from './inbox.ts';
export { type InboxLimits } from './limits.ts';
export { dead, done, retry, unavailable, type Outcome } from './outcome.ts';
export { letNextGoAhead } from './retries.ts';
export { type SenderRules } from './sender.ts';
export { lockOrder } from './store.ts';
export { typePattern } from './type-pattern.ts';
