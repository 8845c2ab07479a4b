import { problem } from '@taskwire/errors';
import { invalidField } from '../invalid-field.ts';

/** A recurrence rule in our grammar. UNTIL is kept apart, because the rest is evaluated as wall time. */
export type RecurrenceRule = {
  /** The rule without UNTIL, in capitals. */
  text: string;
  /** The last instant, of an UNTIL in UTC. */
  untilInstant: number | null;
  /** The last wall time, of an UNTIL without a zone: the number that would be its instant in UTC. */
  untilWall: number | null;
};

const weekday = '(?:MO|TU|WE|TH|FR|SA|SU)';
const list = (item: string) => new RegExp(`^${item}(?:,${item})*$`);

/** The parts of RFC 5545 section 3.3.10 that are accepted, with the form of their values. The library checks their ranges and combinations. */
const parts: Readonly<Record<string, RegExp>> = {
  FREQ: /^(?:DAILY|WEEKLY|MONTHLY|YEARLY)$/,
  INTERVAL: /^[1-9]\d{0,3}$/,
  COUNT: /^[1-9]\d{0,4}$/,
  UNTIL: /^\d{8}(?:T\d{6}Z?)?$/,
  BYMONTH: list('\\d{1,2}'),
  BYWEEKNO: list('[+-]?\\d{1,2}'),
  BYYEARDAY: list('[+-]?\\d{1,3}'),
  BYMONTHDAY: list('[+-]?\\d{1,2}'),
  BYDAY: list(`(?:[+-]?\\d{1,2})?${weekday}`),
  BYHOUR: list('\\d{1,2}'),
  BYMINUTE: list('\\d{1,2}'),
  // one value: the interval between two runs is at least a minute
  BYSECOND: /^\d{1,2}$/,
  BYSETPOS: list('[+-]?\\d{1,3}'),
  WKST: new RegExp(`^${weekday}$`),
};

/** The largest value of the parts whose values are times of day; the library would silently drop a larger one. */
const largest: Readonly<Record<string, number>> = { BYHOUR: 23, BYMINUTE: 59, BYSECOND: 59 };

/**
 * Parses an RRULE value, such as `FREQ=WEEKLY;BYDAY=MO`. Unknown and repeated parts are refused, so that no part is ignored in silence.
 * @throws Problem `invalid_input` for `expression`, or `use_every_or_cron` for a frequency of hours or less.
 */
export function parseRecurrenceRule(expression: string): RecurrenceRule {
  const seen = new Map<string, string>();
  for (const part of expression.toUpperCase().split(';')) {
    const [name = '', value = '', ...more] = part.split('=');
    const form = Object.hasOwn(parts, name) ? parts[name] : undefined;
    if (form === undefined || more.length > 0)
      throw invalid(`has the unknown part ${JSON.stringify(name.slice(0, 40))}`);
    if (seen.has(name)) throw invalid(`has ${name} twice`);
    if (name === 'FREQ' && /^(?:HOURLY|MINUTELY|SECONDLY)$/.test(value)) throw tooFrequent(value);
    if (!form.test(value) || value.split(',').some((one) => Number(one) > (largest[name] ?? Infinity))) {
      throw invalid(`has an invalid value of ${name}`);
    }
    seen.set(name, value);
  }
  if (!seen.has('FREQ')) throw invalid('must have FREQ');
  const until = seen.get('UNTIL');
  if (until !== undefined && seen.has('COUNT')) throw invalid('must not have both COUNT and UNTIL');
  seen.delete('UNTIL');
  const text = [...seen].map(([name, value]) => `${name}=${value}`).join(';');
  return { text, ...untilOf(until) };
}

function untilOf(until: string | undefined): Omit<RecurrenceRule, 'text'> {
  if (until === undefined) return { untilInstant: null, untilWall: null };
  const [, date, time = '235959', utc] = /^(\d{8})(?:T(\d{6})(Z?))?$/.exec(until) ?? [];
  try {
    const wall = Temporal.PlainDateTime.from(`${date}T${time}`, { overflow: 'reject' });
    const number = wall.toZonedDateTime('UTC').epochMilliseconds;
    return utc === 'Z' ? { untilInstant: number, untilWall: null } : { untilInstant: null, untilWall: number };
  } catch {
    throw invalid('has an invalid value of UNTIL');
  }
}

function invalid(fault: string) {
  const example = 'must be an RRULE of RFC 5545, for example FREQ=WEEKLY;BYDAY=MO;BYHOUR=9;BYMINUTE=0';
  return invalidField('expression', 'invalid_rrule', `${example}; it ${fault}`);
}

function tooFrequent(frequency: string) {
  const message = `has FREQ=${frequency}; use the kind every, for example PT1H, or cron, for example 0 * * * *`;
  return problem('use_every_or_cron', `The expression ${message}.`, {
    errors: [{ field: 'expression', code: 'use_every_or_cron', message }],
  });
}
