import { z } from 'zod';

/** The longest name in the IANA database has 32 characters. */
const longestZone = 64;

/** The name of an IANA time zone, with its usual capitalisation. An offset is not a zone, because it does not say when clocks change. */
export const timeZone = z
  .string()
  .max(longestZone)
  .transform((name, context) => {
    const found = zoneNamed(name);
    if (found !== undefined) return found;
    context.addIssue({ code: 'custom', message: 'must be the name of an IANA time zone, for example Europe/Berlin', params: { code: 'unknown_time_zone' } });
    return z.NEVER;
  })
  .describe('the name of an IANA time zone, for example Europe/Berlin');

function zoneNamed(name: string): string | undefined {
  if (/^[+\-\u2212]/u.test(name)) return undefined;
  try {
    return new Temporal.ZonedDateTime(0n, name).timeZoneId;
  } catch {
    return undefined;
  }
}

/** A reminder may be two seconds late, so a shorter period would be imprecise. */
const shortestReminder = Temporal.Duration.from('PT1M');
/** A year. A due date may be further ahead: its reminder then waits until the due date is a year away. */
const longestReminder = Temporal.Duration.from('P366D');

/** The time between a reminder and the due date, as an ISO 8601 duration in its normal form. */
export const remindBefore = z
  .string()
  .max(50)
  .transform((text, context) => {
    const duration = reminderIn(text);
    if (duration !== undefined) return duration.toString();
    context.addIssue({ code: 'custom', message: 'must be an ISO 8601 duration from PT1M to P366D, for example P1D or PT2H', params: { code: 'invalid_duration' } });
    return z.NEVER;
  })
  .describe('how long before due_at the assignee is reminded: an ISO 8601 duration from PT1M to P366D; its days are days in due_time_zone, or in UTC');

/** A leap year has the most days. */
const relativeTo = Temporal.PlainDate.from('2024-01-01');

function reminderIn(text: string): Temporal.Duration | undefined {
  const { compare, from } = Temporal.Duration;
  try {
    const duration = from(text);
    const isWithin = compare(duration, shortestReminder, { relativeTo }) >= 0 && compare(duration, longestReminder, { relativeTo }) <= 0;
    return isWithin ? duration : undefined;
  } catch {
    // not a duration, or one that ends after the last date that Temporal knows
    return undefined;
  }
}

export const dueAllDay = z
  .boolean()
  .describe('whether the task is due at the end of the day that contains due_at in due_time_zone; due_at becomes the last microsecond of that day');

const defaultReminder = 'P1D';

/**
 * The due-date fields of a new task. In the parsed body, a field with its default value is omitted, as if it had not been sent: the fingerprint of a
 * request with an Idempotency-Key is computed from the parsed body, and a repeated request must have the fingerprint that the previous release,
 * without these fields, stored.
 */
export const newDueDateFields = {
  due_time_zone: timeZone
    .nullable()
    .optional()
    .meta({ default: null })
    .transform((zone) => zone ?? undefined),
  due_all_day: dueAllDay
    .optional()
    .meta({ default: false })
    .transform((isAllDay) => isAllDay || undefined),
  remind_before: remindBefore
    .optional()
    .meta({ default: defaultReminder })
    .transform((duration) => (duration === defaultReminder ? undefined : duration)),
};
