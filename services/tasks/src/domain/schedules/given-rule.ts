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

/** The rule that a caller means. A rule that needs a start counts from now if none is given. */
export function ruleOf(given: GivenRule, now: number): Rule {
  const { kind, expression } = given;
  const needsStart = kind === 'every' || kind === 'rrule';
  const startsAt = given.starts_at === null ? (needsStart ? now : null) : Date.parse(given.starts_at);
  return {
    ...{ kind, expression },
    timeZone: given.time_zone,
    startsAt: wholeSeconds(startsAt),
    endsAt: wholeSeconds(given.ends_at === null ? null : Date.parse(given.ends_at)),
    dstGap: given.dst_gap,
  };
}

function wholeSeconds(at: number | null): number | null {
  return at === null ? null : Math.floor(at / 1_000) * 1_000;
}

/** An instant as the API returns it. */
export function isoOf(at: number): string {
  return new Date(at).toISOString().replace(/Z$/, '000Z');
}
