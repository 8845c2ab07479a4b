import type { Occurrence } from './rule.ts';
import type { CatchUp, SkipReason } from './schedule.ts';

/** The verdict on a due occurrence, before the schedule's overlap policy is applied. */
export type Verdict = { at: number; verdict: 'run' | Exclude<SkipReason, 'overlap'> };

/** A run is late after this time: the worker loop looks once a second, and two runs are at least a minute apart. */
const lateMs = 60_000;
/** `all` runs the occurrences of the last day, as the user who chose it expects; older work is mostly pointless by now. */
const windowMs = 86_400_000;
/** `all` runs at most this many: more tasks at once help no one. */
const mostRuns = 1_000;

type Situation = {
  catchUp: CatchUp;
  paused: boolean;
  now: number;
  /** Whether no later occurrence is due. */
  complete: boolean;
  /** The longest delay between nominal instant and run that still counts as on time. */
  jitterMs: number;
};

/**
 * Decides due occurrences in order. If `due` is incomplete, decides only the occurrences that later ones can't affect.
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
      // if none of them is old, decide all: otherwise no call would ever decide anything
      return complete || old.length === 0 ? verdicts : old;
    }
  }
}
