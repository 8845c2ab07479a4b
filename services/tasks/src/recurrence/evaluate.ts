import { parseDuration, totalSeconds } from '../domain/schedules/duration.ts';
import { invalidField } from '../domain/invalid-field.ts';
import { shortestIntervalSeconds, type Occurrence, type Rule, type Window } from '../domain/schedules/rule.ts';
import { fixedTimes, intervalTimes } from '../domain/schedules/wall-times.ts';
import { wallOf } from '../domain/schedules/zone.ts';
import { readCron } from './cron.ts';
import { readRecurrenceRule } from './rrule.ts';

/**
 * The occurrences of a rule in a window, in order. Runs in a separate thread, because a rule can take long.
 * @throws Problem `invalid_input`, `use_every_or_cron` or `schedule_too_complex`, for the field at fault.
 */
export function evaluate(rule: Rule, window: Window): Occurrence[] {
  const { startsAt, endsAt } = rule;
  if (startsAt !== null && endsAt !== null && endsAt < startsAt) {
    throw invalidField('ends_at', 'invalid_range', 'must not be before starts_at');
  }
  const limits = {
    ...window,
    after: Math.max(window.after, (startsAt ?? -Infinity) - 1),
    until: Math.min(window.until, endsAt ?? Infinity),
  };
  return [...occurrencesOf(rule, limits)];
}

function occurrencesOf(rule: Rule, window: Window): Iterable<Occurrence> {
  switch (rule.kind) {
    case 'cron':
      return cronTimes(rule, window);
    case 'rrule':
      return recurrenceTimes(rule, window);
    case 'every':
      return everyTimes(rule, window);
    case 'at':
      return atTime(rule, window);
  }
}

function cronTimes({ expression, timeZone: zone, dstGap }: Rule, window: Window): Iterable<Occurrence> {
  const { isFixed, times } = readCron(expression);
  return isFixed ? fixedTimes(times, { zone, dstGap }, window) : intervalTimes(times, zone, window);
}

function recurrenceTimes({ expression, timeZone: zone, startsAt, dstGap }: Rule, window: Window): Iterable<Occurrence> {
  const start = wallOf(startsAt ?? window.after, zone);
  // one more day, because wall times differ from instants by less than a day
  const { times, until } = readRecurrenceRule(expression, start, window.until + 86_400_000);
  const last = Math.min(window.until, until.untilInstant ?? Infinity);
  return fixedTimes(times, { zone, dstGap }, { ...window, until: last });
}

function* everyTimes({ expression, startsAt }: Rule, { after, until, limit }: Window): Generator<Occurrence> {
  const duration = parseDuration(expression);
  const example = 'must be an ISO 8601 duration of weeks, days, hours, minutes and seconds, for example PT15M';
  if (duration === undefined) throw invalidField('expression', 'invalid_duration', example);
  const seconds = totalSeconds(duration);
  if (seconds < shortestIntervalSeconds) {
    throw invalidField('expression', 'interval_too_short', `must be at least ${shortestIntervalSeconds} seconds`);
  }
  const step = seconds * 1_000;
  const start = startsAt ?? after;
  const first = start + Math.max(0, Math.floor((after - start) / step) + 1) * step;
  for (let at = first, count = 0; at <= until && count < limit; at += step, count += 1) yield { at, skipped: null };
}

function atTime({ expression, timeZone: zone, dstGap }: Rule, window: Window): Iterable<Occurrence> {
  const example =
    'must be an instant, for example 2026-12-24T18:00:00Z, or a local time, for example 2026-12-24T18:00:00';
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(Z|[+-]\d\d:\d\d)?$/.exec(expression);
  if (match === null) throw invalidField('expression', 'invalid_time', example);
  try {
    if (match[2] !== undefined) {
      const at = Temporal.Instant.from(expression).epochMilliseconds;
      return at > window.after && at <= window.until ? [{ at, skipped: null }] : [];
    }
    const wall = Temporal.PlainDateTime.from(expression, { overflow: 'reject' }).toZonedDateTime(
      'UTC',
    ).epochMilliseconds;
    return fixedTimes((from) => (wall >= from ? [wall] : []), { zone, dstGap }, window);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw invalidField('expression', 'invalid_time', example);
  }
}
