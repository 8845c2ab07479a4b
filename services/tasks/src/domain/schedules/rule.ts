import { problem, type Problem } from '@taskwire/errors';

export type RuleKind = 'cron' | 'rrule' | 'every' | 'at';

/** Decides whether an occurrence whose wall time does not exist, because the clocks go forward, runs right after the gap or not at all. */
export type GapPolicy = 'run_after' | 'skip';

/** When a schedule runs. Instants are milliseconds since 1970, in whole seconds. */
export type Rule = {
  kind: RuleKind;
  expression: string;
  /** An IANA time zone. */
  timeZone: string;
  /** The first instant at which it may run. `every` counts from it; an RRULE takes the parts that it omits from it. Null only for `cron` and `at`. */
  startsAt: number | null;
  /** The last instant at which it may run. */
  endsAt: number | null;
  dstGap: GapPolicy;
};

/** A nominal instant of a rule. `skipped` is `dst_gap` if its wall time does not exist and it does not run. */
export type Occurrence = { at: number; skipped: 'dst_gap' | null };

/** The occurrences to compute: those after `after`, up to and including `until`, at most `limit`. */
export type Window = { after: number; until: number; limit: number };

/** A rule without an occurrence in this time is refused. Leap days and the 53rd week recur within eight years. */
export const horizonMs = 10 * 366 * 86_400_000;

/** The shortest interval between two runs, in seconds. The worker loop looks once a second, and cron has no seconds either. */
export const shortestIntervalSeconds = 60;

export function neverRuns(): Problem {
  const message = 'has no occurrence within ten years';
  return problem('schedule_never_runs', `The expression ${message}, between starts_at and ends_at.`, {
    errors: [{ field: 'expression', code: 'never_runs', message }],
  });
}

export function tooComplex(cause?: unknown): Problem {
  const message = 'takes too long to evaluate';
  return problem('schedule_too_complex', `The expression ${message}. Use one with fewer parts.`, {
    errors: [{ field: 'expression', code: 'too_complex', message }],
    cause,
  });
}
