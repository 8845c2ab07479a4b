import type { Occurrence } from './rule.ts';
import type { CatchUp, SkipReason } from './schedule.ts';

/** What becomes of an occurrence that is due, before other tasks of the schedule are considered. */
export type Verdict = { at: number; verdict: 'run' | Exclude<SkipReason, 'overlap'> };

/** A run is late after this time: the worker loop looks once a second, and two runs are at least a minute apart. */
const lateMs = 60_000;
/** `all` runs what was due in the last day, as the user who asked for it expects; older work has mostly lost its point. */
const windowMs = 86_400_000;
/** `all` runs at most this many: more tasks at once help no one. */
const mostRuns = 1_000;

type Situation = {
  catchUp: CatchUp;
  paused: boolean;
  now: number;
  /** Whether no later occurrence is due. */
  complete: boolean;
  /** The latest time by which an occurrence runs after its nominal instant, if it is on time. */
  jitterMs: number;
};

/**
 * Decides what becomes of occurrences that are due, in order. If these are not all that are due, only those are decided that the later ones do not
 * affect.
 */
export function decide(due: readonly Occurrence[], situation: Situation): Verdict[] {
  const { catchUp, paused, now, complete, jitterMs } = situation;
  const verdictsOf = (verdict: (at: number, index: number) => Verdict['verdict']) =>
    due.map(({ at, skipped }, index): Verdict => ({ at, verdict: skipped ?? verdict(at, index) }));
  if (paused) return verdictsOf(() => 'paused');
  switch (catchUp) {
    case 'skip':
      return verdictsOf((at) => (at + jitterMs + lateMs < now ? 'missed' : 'run'));
    case 'latest': {
      const latest = complete ? due.findLastIndex(({ skipped }) => skipped === null) : -1;
      return verdictsOf((_, index) => (index === latest ? 'run' : 'missed'));
    }
    case 'all': {
      const isOld = (at: number) => at < now - windowMs;
      const recent = due.filter(({ at, skipped }) => skipped === null && !isOld(at));
      const firstRun = recent.at(-mostRuns)?.at ?? -Infinity;
      const verdicts = verdictsOf((at) => (isOld(at) ? 'missed' : at < firstRun ? 'capped' : 'run'));
      const old = verdicts.filter(({ at }) => isOld(at));
      // without an old one, the rest would never be decided
      return complete || old.length === 0 ? verdicts : old;
    }
  }
}
