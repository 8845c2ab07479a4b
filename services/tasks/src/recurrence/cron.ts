import { Cron, CronPattern } from 'croner';
import { invalidField } from '../domain/invalid-field.ts';
import type { WallTimes } from '../domain/schedules/wall-times.ts';

/**
 * Five fields with numbers, names and the usual operators. `@daily`, `?` and the like are refused, because implementations of cron disagree about
 * them.
 */
const form = /^[\dA-Za-z*,/#-]+(?: [\dA-Za-z*,/#-]+){4}$/;

const dayMs = 86_400_000;
const minuteMs = 60_000;

const options = { mode: '5-part', fixedTimeRule: 'no-wildcard' } as const;

/**
 * Reads a cron expression. `isFixed` is whether it names times of day, without `*` or `/` in minute and hour.
 * @throws Problem `invalid_input` for `expression`.
 */
export function readCron(expression: string): { isFixed: boolean; times: WallTimes } {
  const fields = expression.trim().replaceAll(/\s+/g, ' ');
  if (!form.test(fields)) throw invalid('it has another form');
  try {
    const pattern = new CronPattern(fields, 'UTC', options);
    // a day at a time: croner needs 0.4 ms for each run, and a rule may have 1,440 a day
    const days = new Cron(`0 0 ${fields.split(' ').slice(2).join(' ')}`, { ...options, timezone: 'UTC', paused: true });
    return { isFixed: pattern.isFixedTime, times: (from) => timesOf(days, minutesOfDay(pattern), from) };
  } catch (error) {
    throw invalid(error instanceof Error ? error.message.replace(/^CronPattern: /, '') : String(error));
  }
}

function* timesOf(days: Cron, minutes: readonly number[], from: number): Generator<number> {
  // croner returns runs after a second, so the day itself follows the second before it
  let day = days.nextRun(new Date(Math.floor(from / dayMs) * dayMs - 1_000));
  for (; day !== null; day = days.nextRun(day)) {
    for (const minute of minutes) {
      const time = day.getTime() + minute * minuteMs;
      if (time >= from) yield time;
    }
  }
}

function minutesOfDay({ hour, minute }: CronPattern): number[] {
  const hours = indexesOf(hour);
  const minutes = indexesOf(minute);
  return hours.flatMap((h) => minutes.map((m) => h * 60 + m));
}

function indexesOf(marked: readonly number[]): number[] {
  return marked.flatMap((mark, index) => (mark === 1 ? [index] : []));
}

function invalid(fault: string) {
  const example = 'must be a cron expression of five fields, for example 30 9 * * MON-FRI';
  return invalidField('expression', 'invalid_cron', `${example}: ${fault.replace(/\.$/, '')}`);
}
