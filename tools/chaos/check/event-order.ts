import type { RecordedEvent } from '../evidence.ts';

/** ISO 8601 in UTC with microseconds sorts as text. */
export function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** The events in the order of their first publication. */
export function firstOccurrences(events: readonly RecordedEvent[]): RecordedEvent[] {
  const first = new Map<string, RecordedEvent>();
  for (const event of events) if (!first.has(event.messageId)) first.set(event.messageId, event);
  return [...first.values()];
}

export function label({ messageId, type, timestamp }: RecordedEvent): string {
  return `${type} of ${timestamp} (message ${messageId})`;
}
