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
