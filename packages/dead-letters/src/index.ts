export { createDeadLetters, type Batch, type BatchResult, type DeadLetters } from './dead-letters.ts';
export { deadLetterEntity } from './entities.ts';
export { listPendingMessages, type PendingMessage, type PendingPage } from './pending-messages.ts';
export type { Resolution, ResolveResult } from './resolve.ts';
export { bindDeadLetters } from './routes.ts';
export type { DeadLetterPage } from './search.ts';
