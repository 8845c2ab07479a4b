import { invalidField } from '../../domain/invalid-field.ts';
import { horizonMs, neverRuns, type Occurrence, type Rule, type Window } from '../../domain/schedules/rule.ts';

/** Computes when rules run. */
export type RuleEvaluator = {
  /**
   * The occurrences of a rule in a window, in order.
   * @throws Problem `invalid_input`, `use_every_or_cron` or `schedule_too_complex`, for the field at fault.
   */
  occurrences(rule: Rule, window: Window): Promise<readonly Occurrence[]>;
};

/** The next occurrences of a rule. @throws Problem `schedule_never_runs` if there is none within ten years, and what `occurrences` throws. */
export async function nextOccurrences(
  rules: RuleEvaluator,
  rule: Rule,
  { after, limit }: Pick<Window, 'after' | 'limit'>,
): Promise<readonly Occurrence[]> {
  const found = await rules.occurrences(rule, { after, until: after + horizonMs, limit });
  if (found.length === 0) throw neverRuns();
  return found;
}

/** The next occurrences that limit the jitter. More would take longer to evaluate, and a usual rule repeats its intervals sooner. */
const checkedForJitter = 20;

/**
 * Requires that a jitter is shorter than the shortest interval between the next occurrences, so that they keep their order.
 * @throws Problem `invalid_input` that names `jitter`, and what `occurrences` throws.
 */
export async function requireJitterWithinInterval(
  rules: RuleEvaluator,
  rule: Rule,
  { after, jitterSeconds }: Pick<Window, 'after'> & { jitterSeconds: number },
): Promise<void> {
  if (jitterSeconds === 0) return;
  const next = await rules.occurrences(rule, { after, until: after + horizonMs, limit: checkedForJitter });
  const intervals = next.slice(1).map(({ at }, place) => at - (next[place]?.at ?? -Infinity));
  const shortestSeconds = Math.min(...intervals) / 1_000;
  if (jitterSeconds >= shortestSeconds)
    throw invalidField('jitter', 'too_big', `must be shorter than the shortest interval, ${shortestSeconds} seconds`);
}
