export { defineHandler, type Handler, type HandlerContext, type Order } from './handler.ts';
export { createInbox, inboxMigrations, type Inbox, type InboxOptions } from './inbox.ts';
export { lockOrder, promoteNext } from './key-order.ts';
export { inboxLimits, type InboxLimits } from './limits.ts';
export { readMessageJourneys, type MessageJourney } from './message-journeys.ts';
export { inboxRetention, type InboxPeriods } from './retention.ts';
export { dead, done, retry, unavailable, type Outcome } from './outcome.ts';
export { type SenderRules } from './sender.ts';
export { typePattern } from './type-pattern.ts';
