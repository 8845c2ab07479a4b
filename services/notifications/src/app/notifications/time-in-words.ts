import type { TemplateData } from '../notification-types.ts';

/** Formats an instant for readers, to the minute. Their time zone is unknown, so the text is in UTC and says so. */
export function timeInWords(instant: string): string {
  return `${new Date(instant).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

type DueDate = NonNullable<TemplateData['due']>;

/**
 * Formats a due date for readers: the date alone if the task is due all day, and otherwise with the time, to the minute. The text uses and names the
 * time zone of the due date, or UTC.
 */
export function dueInWords({ at, timeZone, isAllDay }: DueDate): string {
  const local = timeZone === null ? undefined : localTime(at, timeZone);
  if (local === undefined) return timeInWords(at);
  const date = local.toPlainDate().toString();
  if (isAllDay) return date;
  return `${date} ${local.toPlainTime().toString({ smallestUnit: 'minute' })} (${timeZone})`;
}

/** Returns undefined for a zone that this process doesn't know, since Tasks may have newer zones. */
function localTime(at: string, timeZone: string): Temporal.ZonedDateTime | undefined {
  try {
    return Temporal.Instant.from(at).toZonedDateTimeISO(timeZone);
  } catch {
    return undefined;
  }
}
