export { eventExchange, events, eventSchemaVersion, instant, uuid, type EventPayload, type EventType } from './events/events.ts';
export type { AuditAction, AuditEntry } from './rest/audit.ts';
export { authRoutes } from './rest/auth.ts';
export { tokenResponse } from './rest/oauth.ts';
export {
  deadLetterFilter,
  deadLetterQuery,
  type DeadLetter,
  type DeadLetterDetail,
  type DeadLetterFilter,
  type DeadLetterQuery,
  type DeadLetterRoutes,
} from './rest/dead-letters.ts';
export { notificationsRoutes } from './rest/notifications.ts';
export { defineRoute, type Access, type IfMatch, type Role, type Route } from './rest/route.ts';
export * as schemas from './rest/schemas.ts';
export { tasksRoutes } from './rest/tasks.ts';
