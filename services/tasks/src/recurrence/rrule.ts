import { RRuleTemporal } from 'rrule-temporal';
import { parseRecurrenceRule, type RecurrenceRule } from '../domain/schedules/rrule-grammar.ts';
import { invalidField } from '../domain/invalid-field.ts';
import { tooComplex } from '../domain/schedules/rule.ts';
import type { WallTimes } from '../domain/schedules/wall-times.ts';

const dayMs = 86_400_000;
/** The first window that is evaluated. Most rules recur within a month; each further window is twice as long. */
const firstLookMs = 32 * dayMs;

/**
 * Reads an RRULE. The library evaluates it as wall time in UTC, which has no transitions: in zones it drops occurrences in a gap. `start` is the wall
 * time from which it counts, and which supplies the parts that the rule omits.
 * @throws Problem `invalid_input` or `use_every_or_cron`, for `expression`.
 */
export function readRecurrenceRule(
  expression: string,
  start: number,
  horizon: number,
): { times: WallTimes; until: Pick<RecurrenceRule, 'untilInstant'> } {
  const { text, untilInstant, untilWall } = parseRecurrenceRule(expression);
  const rule = read(text, start);
  return {
    until: { untilInstant },
    times: (from) => timesOf(rule, Math.max(from, start), Math.min(horizon, untilWall ?? Infinity)),
  };
}

function read(text: string, start: number): RRuleTemporal {
  try {
    return new RRuleTemporal({ rruleString: `RRULE:${text}`, dtstart: inUtc(start), temporal: Temporal, strict: true });
  } catch (error) {
    const fault = error instanceof Error ? error.message : String(error);
    throw invalidField('expression', 'invalid_rrule', `must be an RRULE of RFC 5545: ${fault.replace(/\.$/, '')}`);
  }
}

function* timesOf(rule: RRuleTemporal, from: number, until: number): Generator<number> {
  let length = firstLookMs;
  for (let start = from; start <= until; length *= 2) {
    const end = Math.min(start + length, until);
    for (const found of between(rule, start, end)) yield found;
    start = end + 1;
  }
}

/** @throws Problem `schedule_too_complex` when the library reaches one of its limits. */
function between(rule: RRuleTemporal, start: number, end: number): number[] {
  try {
    return rule.between(inUtc(start), inUtc(end), true).map((found) => found.epochMilliseconds);
  } catch (error) {
    throw tooComplex(error);
  }
}

function inUtc(wall: number) {
  return Temporal.Instant.fromEpochMilliseconds(wall).toZonedDateTimeISO('UTC');
}
