import type { Rule } from './rule.ts';

/** A rule as callers send it, with instants as text. */
export type GivenRule = {
  kind: Rule['kind'];
  expression: string;
  time_zone: string;
  starts_at: string | null;
  ends_at: string | null;
  dst_gap: Rule['dstGap'];
};

const minuteMs = 60_000;

/** The rule that a caller means. A rule that needs a start gets one if none is given. */
export function ruleOf(given: GivenRule, now: number): Rule {
  const { kind, expression } = given;
  return {
    ...{ kind, expression },
    timeZone: given.time_zone,
    startsAt: wholeSeconds(given.starts_at === null ? defaultStart(kind, now) : Date.parse(given.starts_at)),
    endsAt: wholeSeconds(given.ends_at === null ? null : Date.parse(given.ends_at)),
    dstGap: given.dst_gap,
  };
}

/**
 * `every` counts from now. An RRULE starts with the next full minute: its first occurrence, which COUNT counts, is then in the future, and a rule for
 * 09:00 does not run at the second of the present minute.
 */
function defaultStart(kind: Rule['kind'], now: number): number | null {
  if (kind === 'every') return now;
  return kind === 'rrule' ? (Math.floor(now / minuteMs) + 1) * minuteMs : null;
}

function wholeSeconds(at: number | null): number | null {
  return at === null ? null : Math.floor(at / 1_000) * 1_000;
}

/** An instant as the API returns it. */
export function isoOf(at: number): string {
  return new Date(at).toISOString().replace(/Z$/, '000Z');
}
