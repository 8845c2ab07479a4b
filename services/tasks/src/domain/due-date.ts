import { utcInstant } from './instant.ts';
import { invalidField } from './invalid-field.ts';
import type { TaskFields } from './task.ts';

/** When a task is due. `due_at` is authoritative; the zone and `due_all_day` say how people read and change it. */
export type DueDate = Pick<TaskFields, 'due_at' | 'due_time_zone' | 'due_all_day'>;

export const noDueDate: DueDate = Object.freeze({ due_at: null, due_time_zone: null, due_all_day: false });

/** The `remind_before` of a task that is created without one; the database has the same default. */
export const defaultReminder = 'P1D';

/**
 * The due date after a change of some of its fields. Omitted fields keep their values, with these exceptions:
 * - A task that is due all day is due at the last microsecond of a day in its zone: of the day that has the given
 *   `due_at`. The last microsecond and not the next midnight, so that a client that sends back what it has read changes
 *   nothing, and shows the right date.
 * - If only the zone of such a task changes, the task stays due on the same date.
 * - A task without `due_at` is not due all day.
 * @throws Problem `invalid_input` that names the field: all day without a zone or a date, or outside the years 1 to 9999.
 */
export function changeDueDate(before: DueDate, given: { [K in keyof DueDate]?: DueDate[K] | undefined }): DueDate {
  const { due_time_zone = before.due_time_zone, due_all_day = before.due_all_day } = given;
  const due_at = given.due_at === undefined ? before.due_at : given.due_at && utcInstant(given.due_at);
  if (due_at === null) {
    if (given.due_all_day === true)
      throw invalidField('due_all_day', 'due_at_missing', 'must not be true without due_at, which determines the day');
    return { due_at: null, due_time_zone, due_all_day: false };
  }
  if (!due_all_day) return { due_at, due_time_zone, due_all_day };
  if (due_time_zone === null)
    throw invalidField(
      'due_time_zone',
      'time_zone_missing',
      'must be set if due_all_day is true, for example to Europe/Berlin',
    );
  const keepsDay = given.due_at === undefined && before.due_all_day && before.due_time_zone !== null;
  const day = dateIn(keepsDay ? (before.due_time_zone ?? due_time_zone) : due_time_zone, due_at);
  return { due_at: endOf(day, due_time_zone), due_time_zone, due_all_day };
}

function dateIn(zone: string, instant: string): Temporal.PlainDate {
  return Temporal.Instant.from(instant).toZonedDateTimeISO(zone).toPlainDate();
}

/** The end of a day in a zone. Where the clocks change at midnight, the next day may begin later. */
function endOf(day: Temporal.PlainDate, zone: string): string {
  const next = day.add({ days: 1 }).toZonedDateTime(zone).toInstant();
  return utcInstant(next.subtract({ microseconds: 1 }).toString({ fractionalSecondDigits: 6 }));
}
