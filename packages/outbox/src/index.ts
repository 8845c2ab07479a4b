export {
  appendEvents,
  eventHeaders,
  hintEvents,
  insertEvents,
  outboxInsertSql,
  outboxMigrations,
  outboxRetention,
  runWithEvents,
  type NewEvent,
} from './append.ts';
export { type DrainStats as RelayStats, type RelayLimits } from './drain.ts';
export { readEventJourneys, type EventJourney } from './event-journeys.ts';
export { createRelay, type Relay, type RelayOptions } from './relay.ts';
export { createNotifier, type Notifier, type NotifierOptions } from './notifier.ts';
