import { jsonText, tasksRoutes } from '@taskwire/contracts';
import type { z } from 'zod';
import { invalidField } from '../../domain/invalid-field.ts';
import type { OccurrenceRow } from '../../domain/schedules/schedule.ts';
import type { IdempotentRequest, WriteResult } from '../ports.ts';
import { lockUpToDate, type ScheduleCommand } from './change-schedule.ts';
import { decidedJson } from './document.ts';
import type { SchedulePorts } from './ports.ts';
import { requireInUse } from '../../domain/projects/project.ts';
import { situationOf } from './situations.ts';
import { runOccurrence, type Step } from './run-occurrence.ts';
import { progressOf } from './run-schedules.ts';
import { storeDecisions } from './store-decisions.ts';

/** Occurrences of one backfill: each takes about 0.5 ms, in one transaction. */
const mostBackfilled = 1_000;
/** Days that a backfill may look back. Occurrences are kept for longer, so a backfill sees which ones have already run. */
const backfillDays = 30;
const dayMs = 86_400_000;

const triggered = tasksRoutes.triggerSchedule.responses[200];
const backfilled = tasksRoutes.backfillSchedule.responses[200];

type Command = ScheduleCommand & { request: IdempotentRequest | undefined };

/** Runs a schedule now, in addition to its rule: even while it is paused, or its last task is unfinished. */
export async function triggerSchedule(ports: SchedulePorts, command: Command): Promise<WriteResult<typeof triggered>> {
  return await ports.tasks.once<typeof triggered>(command.request, async (tx) => {
    const { schedule, now } = await lockUpToDate(ports, tx, command);
    // rules have whole seconds, so no rule has this instant
    const at = now % 1_000 === 0 ? now + 1 : now;
    const situation = await situationOf(ports, tx, schedule);
    requireInUse({ isArchived: situation.hindrance === 'project_archived' });
    const { row, steps } = runOccurrence(schedule, { at, cause: 'trigger' }, situation);
    const last = row.state === 'ran' ? { lastTaskId: row.taskId, lastJobId: row.jobId } : {};
    await storeDecisions(ports, tx, [{ schedule, rows: [row], steps, progress: { ...progressOf(schedule), ...last } }]);
    const [stored] = await ports.schedules.listOccurrences(
      schedule.id,
      { from: at, until: at },
      { after: undefined, limit: 1 },
      tx,
    );
    if (stored === undefined) throw new Error('the occurrence was not stored');
    return { text: jsonText(triggered, decidedJson(stored, schedule)) };
  });
}

type Backfill = Command & { input: z.output<typeof tasksRoutes.backfillSchedule.body> };

/** Runs the occurrences of the current rule in a past period that have not run, whatever the reason. */
export async function backfillSchedule(
  ports: SchedulePorts,
  command: Backfill,
): Promise<WriteResult<typeof backfilled>> {
  return await ports.tasks.once<typeof backfilled>(command.request, async (tx) => {
    const { schedule, now } = await lockUpToDate(ports, tx, command);
    const range = rangeOf(command.input, now);
    const instants = await ports.rules.occurrences(schedule, {
      after: range.from - 1,
      until: range.until,
      limit: mostBackfilled + 1,
    });
    if (instants.length > mostBackfilled)
      throw invalidField('to', 'too_many', `must leave at most ${mostBackfilled} occurrences`);
    const held = await ports.schedules.listOccurrences(schedule.id, range, { after: undefined, limit: 100_000 }, tx);
    const settled = new Set(held.filter(({ state }) => state === 'ran' || state === 'queued').map(({ at }) => at));
    const situation = await situationOf(ports, tx, schedule);
    requireInUse({ isArchived: situation.hindrance === 'project_archived' });
    const [rows, steps]: [OccurrenceRow[], Step[]] = [[], []];
    for (const { at, skipped } of instants) {
      // the scheduler will decide the instants from `nextAt` on
      const isOpen = schedule.nextAt !== null && at >= schedule.nextAt;
      if (skipped !== null || settled.has(at) || isOpen) continue;
      const run = runOccurrence(schedule, { at, cause: 'backfill' }, situation);
      rows.push(run.row);
      steps.push(...run.steps);
    }
    const decision = { schedule, rows, steps, progress: progressOf(schedule) };
    await storeDecisions(ports, tx, [decision], ['skipped', 'failed']);
    const ran = rows.filter(({ state }) => state === 'ran').length;
    return { text: jsonText(backfilled, { ran, failed: rows.length - ran, had_run: settled.size }) };
  });
}

function rangeOf({ from, to }: Backfill['input'], now: number): { from: number; until: number } {
  const range = { from: Date.parse(from), until: Date.parse(to) };
  if (range.from < now - backfillDays * dayMs)
    throw invalidField('from', 'too_small', `must be in the last ${backfillDays} days`);
  if (range.until > now) throw invalidField('to', 'too_big', 'must not be in the future');
  if (range.until < range.from) throw invalidField('to', 'invalid_range', 'must not be before from');
  return range;
}
