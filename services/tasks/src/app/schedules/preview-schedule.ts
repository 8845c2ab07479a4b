import type { tasksRoutes } from '@taskwire/contracts';
import type { z } from 'zod';
import { isoOf, ruleOf } from '../../domain/schedules/given-rule.ts';
import type { Occurrence } from '../../domain/schedules/rule.ts';
import { localTime } from '../../domain/schedules/zone.ts';
import type { DatabaseClock } from './ports.ts';
import { nextOccurrences, type RuleEvaluator } from './rule-evaluator.ts';

type Route = typeof tasksRoutes.previewSchedule;
type Planned = z.input<Route['responses'][200]>['data'][number];

/** The next occurrences of a rule, which is not stored. */
export async function previewSchedule(
  { rules, clock }: { rules: RuleEvaluator; clock: DatabaseClock },
  { limit, ...given }: z.output<Route['body']>,
): Promise<Planned[]> {
  const now = await clock.now();
  const rule = ruleOf(given, now);
  const found = await nextOccurrences(rules, rule, { after: now, limit });
  return found.map((occurrence) => plannedOf(occurrence, rule.timeZone));
}

function plannedOf({ at, skipped }: Occurrence, zone: string): Planned {
  return {
    nominal_at: isoOf(at),
    local_time: localTime(at, zone),
    state: skipped === null ? 'planned' : 'skipped',
    reason: skipped,
  };
}
