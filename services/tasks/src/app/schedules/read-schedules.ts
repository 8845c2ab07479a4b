import type { tasksRoutes } from '@taskwire/contracts';
import type { Page, Place } from '@taskwire/postgres';
import type { z } from 'zod';
import { requireSchedule, seesAllSchedules } from '../../domain/schedules/permission.ts';
import { horizonMs } from '../../domain/schedules/rule.ts';
import { regenerated } from '../../domain/schedules/schedule.ts';
import type { Actor } from '../../domain/task.ts';
import { decidedJson, plannedJson, type OccurrenceJson } from './document.ts';
import type { SchedulePorts, StoredSchedule } from './ports.ts';

type Ports = Pick<SchedulePorts, 'schedules' | 'rules' | 'clock'>;

export async function readSchedule({ schedules }: Ports, actor: Actor, id: string): Promise<StoredSchedule> {
  return requireSchedule(await schedules.readSchedule(id), actor);
}

/** Managers and admins see all schedules, other users only their own. */
export async function listSchedules({ schedules }: Ports, actor: Actor, place: Place): Promise<Page<StoredSchedule>> {
  return await schedules.listSchedules(seesAllSchedules(actor) ? undefined : actor.id, place);
}

type Query = Pick<z.output<typeof tasksRoutes.listOccurrences.query>, 'from' | 'to'>;

/** The occurrences of a schedule in the order of their instants: the decided ones, then the future ones. */
export async function listOccurrences(
  { schedules, rules, clock }: Ports,
  { actor, id, range: { from, to } }: { actor: Actor; id: string; range: Query },
  place: Place,
): Promise<Page<OccurrenceJson>> {
  const { after, limit } = place;
  const schedule = requireSchedule(await schedules.readSchedule(id), actor);
  const now = await clock.now();
  const range = {
    from: from === undefined ? 0 : Date.parse(from),
    until: to === undefined ? now + horizonMs : Date.parse(to),
  };
  const decided = await schedules.listOccurrences(id, range, { after, limit: limit + 1 });
  const items = decided.map((row) => ({ at: row.at, json: decidedJson(row, schedule) }));
  const position = after === undefined ? 0 : Number(after[0]);
  const start = Math.max((schedule.nextAt ?? Infinity) - 1, range.from - 1, position);
  const missing = { after: start, until: Math.min(range.until, now + horizonMs), limit: limit + 1 - items.length };
  if (missing.limit > 0 && missing.after < missing.until) {
    for (const one of await rules.occurrences(regenerated(schedule), missing))
      items.push({ at: one.at, json: plannedJson(one, schedule) });
  }
  // a triggered occurrence may lie between two planned ones
  const ordered = items.toSorted((a, b) => a.at - b.at);
  const page = ordered.slice(0, limit);
  const last = page.at(-1);
  return {
    items: page.map(({ json }) => json),
    next: ordered.length > limit && last !== undefined ? [String(last.at)] : undefined,
  };
}
