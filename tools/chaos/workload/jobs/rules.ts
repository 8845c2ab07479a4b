import type { ScheduleRule } from '../../job-evidence.ts';

const minuteMs = 60_000;
const everyHour = Array.from({ length: 24 }, (_, hour) => hour);
const evenMinutes = Array.from({ length: 30 }, (_, index) => 2 * index);

/**
 * Zones whose offsets are no whole hours, so that a rule which is evaluated in another zone has other minutes. Their clocks never change, so that the
 * checker needs no rule for the gaps and repeated hours of other zones, which have tests of their own.
 */
const zones = ['Asia/Kathmandu', 'Australia/Eucla', 'Pacific/Marquesas'] as const;

/**
 * The rule of a schedule between `from` and `until`: two of three count from the start, and the others name wall times, all of this period or every other
 * minute of a day.
 */
export function ruleOf(number: number, { from, until }: { from: number; until: number }): ScheduleRule {
  const kind = (['every', 'every', 'cron', 'every', 'every', 'rrule'] as const)[(number - 1) % 6]!;
  if (kind === 'every') return { kind };
  const zone = zones[Math.floor(number / 6) % zones.length]!;
  const walls: { hour: number; minute: number }[] = [];
  for (let at = from; at <= until && walls.length < 24 * 60; at += minuteMs) walls.push(wallTime(at, zone));
  // cron has no seconds; those of an RRULE let it run in a run of one minute, whenever that begins
  const second = kind === 'cron' ? 0 : Math.floor(from / 1_000) % 60;
  // the offset is an odd number of minutes, so that in UTC other minutes would be even
  if (zone === zones[0]) return { kind, zone, hours: null, minutes: evenMinutes, second };
  const [hours, minutes] = [distinct(walls.map(({ hour }) => hour)), distinct(walls.map(({ minute }) => minute))];
  return { kind, zone, hours, minutes, second };
}

/** A rule as the API accepts it. */
export function expressionOf(rule: ScheduleRule): { kind: string; expression: string; time_zone?: string } {
  if (rule.kind === 'every') return { kind: 'every', expression: 'PT1M' };
  const { kind, zone, hours, minutes, second } = rule;
  const expression =
    kind === 'cron'
      ? `${minutes.join()} ${hours?.join() ?? '*'} * * *`
      : `FREQ=DAILY;BYHOUR=${(hours ?? everyHour).join()};BYMINUTE=${minutes.join()};BYSECOND=${second}`;
  return { kind, expression, time_zone: zone };
}

/** The instants of a rule from `startsAt` to `endsAt`, both included. */
export function instantsOf(rule: ScheduleRule, startsAt: number, endsAt: number): number[] {
  // no offset of today has seconds
  const second = rule.kind === 'every' ? startsAt % minuteMs : rule.second * 1_000;
  const first = Math.ceil((startsAt - second) / minuteMs) * minuteMs + second;
  const instants: number[] = [];
  for (let at = first; at <= endsAt; at += minuteMs) if (rule.kind === 'every' || names(rule, at)) instants.push(at);
  return instants;
}

function names({ zone, hours, minutes }: Exclude<ScheduleRule, { kind: 'every' }>, at: number): boolean {
  const { hour, minute } = wallTime(at, zone);
  return (hours === null || hours.includes(hour)) && minutes.includes(minute);
}

/** Intl converts the instant, so that an error in the arithmetic of the product is not repeated here. */
function wallTime(at: number, zone: string): { hour: number; minute: number } {
  const text = formatOf(zone).format(at);
  const [hour = 0, minute = 0] = text.split(':').map(Number);
  return { hour, minute };
}

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  const options = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZone: zone } as const;
  const format = new Intl.DateTimeFormat('en-GB', options);
  formats.set(zone, format);
  return format;
}

function distinct(numbers: readonly number[]): number[] {
  return [...new Set(numbers)].sort((a, b) => a - b);
}
