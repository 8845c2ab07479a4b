import { invalidField } from './invalid-field.ts';

/**
 * Converts an ISO 8601 instant with any offset to UTC with microseconds, in the database's format. Truncates finer
 * digits.
 * @throws Problem `invalid_input` for the field when the year in UTC is outside 0001 to 9999.
 */
export function utcInstant(text: string, field = 'due_at'): string {
  // Date would truncate to milliseconds; the fraction is the same at every offset, so it can be copied
  const fraction = /\.(\d+)/.exec(text)?.[1] ?? '';
  const seconds = new Date(text.replace(/\.\d+/, ''));
  const year = seconds.getUTCFullYear();
  if (!(year >= 1 && year <= 9999)) {
    throw invalidField(
      field,
      'invalid_date',
      'must be in the years 1 to 9999, in UTC, for example 2026-11-28T12:00:00Z',
    );
  }
  return `${seconds.toISOString().slice(0, 19)}.${fraction.slice(0, 6).padEnd(6, '0')}Z`;
}
