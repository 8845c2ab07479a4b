export { bindDeadLetters } from './dead-letters/routes.ts';
export { createDeadLetters, type Batch, type BatchSettled, type DeadLetters } from './dead-letters/dead-letters.ts';
export type { DeadLetterPage } from './dead-letters/search.ts';
export type { Settled, Settlement } from './dead-letters/settle.ts';
export { defineHandler, type Handler, type HandlerContext, type Order } from './handler.ts';
export { createInbox, inboxMigrations, type Inbox, type InboxOptions } from './inbox.ts';
export { type InboxLimits } from './limits.ts';
export { dead, done, retry, unavailable, type Outcome } from './outcome.ts';
export { type SenderRules } from './sender.ts';
