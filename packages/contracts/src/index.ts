export { eventExchange, events, eventSchemaVersion, instant, uuid, type EventPayload, type EventType } from './events/events.ts';
export { jsonText, type JsonText } from './rest/json-text.ts';
export {
  audiences,
  audiencesOf,
  casesOf,
  everyService,
  firstPartyClient,
  scopesOf,
  serviceScopes,
  userScopes,
  type Access,
  type Audience,
  type ObjectRule,
  type Party,
  type Role,
  type ServiceScope,
  type UserAccess,
  type UserScope,
} from './rest/access.ts';
export { bulkOperations, bulkRoutes, type BulkOperation } from './rest/bulk.ts';
export { commentRoutes } from './rest/comments.ts';
export { grantedScopes, scopeFaults, type ClientScopes } from './rest/client-scopes.ts';
export { parentOf, publisherOf, subjectFields, subscriptions } from './events/subscriptions.ts';
export type { AuditAction, AuditEntry } from './rest/audit.ts';
export { authRoutes } from './rest/auth.ts';
export { mostListedQueues } from './rest/internal-queues.ts';
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
export type { NotificationJourney } from './rest/journeys.ts';
export { windowMs } from './rest/job-schemas.ts';
export { notificationsRoutes } from './rest/notifications.ts';
export type { Consent, OpenSession } from './rest/sessions.ts';
export { bodyLimitOf, defineRoute, type IfMatch, type Route } from './rest/route.ts';
export { scheduleSchemas } from './rest/schedule-schemas.ts';
export * as schemas from './rest/schemas.ts';
export { mostCountedTasks, taskSuggestion } from './rest/task-lists.ts';
export { projectRoutes } from './rest/projects.ts';
export { templateRoutes } from './rest/templates.ts';
export { viewRoutes } from './rest/views.ts';
export { tasksRoutes } from './rest/tasks.ts';
