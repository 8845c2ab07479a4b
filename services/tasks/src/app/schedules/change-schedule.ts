import { isDeepStrictEqual } from 'node:util';
import type { tasksRoutes } from '@taskwire/contracts';
import type { Tx } from '@taskwire/postgres';
import type { z } from 'zod';
import { requireSchedule } from '../../domain/schedules/permission.ts';
import { isSameRule, type Schedule } from '../../domain/schedules/schedule.ts';
import type { Actor } from '../../domain/task.ts';
import { withKnownAssignee } from '../eligibility.ts';
import type { KnownQueues } from '../jobs/known-queues.ts';
import type { Document, IdempotentRequest, Users, WriteResult } from '../ports.ts';
import { advanceToNow, dueAtOf, zoneDatabase } from './advance.ts';
import { scheduleDocument, type ScheduleSchema } from './document.ts';
import { changedScheduleOf } from './given-schedule.ts';
import type { SchedulePorts, StoredSchedule } from './ports.ts';
import { skipped } from './outcome.ts';
import { assigneeField, findUnknownTargetQueue, requireTarget } from './require-target.ts';
import { nextOccurrences, requireJitterWithinInterval } from './rule-evaluator.ts';
import { progressOf } from './run-schedules.ts';

/** A user's command on one schedule. `requireVersion` throws when the caller expects another version. */
export type ScheduleCommand = { actor: Actor; scheduleId: string; requireVersion: (version: number) => void };

type Change = ScheduleCommand & { input: z.output<typeof tasksRoutes.changeSchedule.body> };

/**
 * Changes a schedule. First decides the due occurrences by the old rule. A new rule begins after both now and the last nominal instant, so
 * that no instant runs twice.
 */
export async function changeSchedule(
  ports: SchedulePorts & { users: Users; knownQueues: KnownQueues },
  command: Change,
): Promise<Document<ScheduleSchema>> {
  const { actor, input } = command;
  const unknownQueue = await findUnknownTargetQueue(ports.knownQueues, actor, input.target);
  const change = async (tx: Tx) => {
    const { schedule, now } = await lockUpToDate(ports, tx, command);
    const changed = changedScheduleOf(schedule, input, now);
    if (input.target !== undefined) await requireTarget(ports, tx, actor, changed.target);
    if (unknownQueue !== undefined) throw unknownQueue;
    const owned = { ...changed, actsFor: input.target === undefined ? schedule.actsFor : actor.id };
    const planned = { ...owned, ...(await placeOf(ports, schedule, owned, now)) };
    if (isDeepStrictEqual(planned, schedule)) return scheduleDocument(schedule);
    tx.afterCommit(ports.wake);
    return scheduleDocument(await ports.schedules.updateSchedule(tx, planned, zoneDatabase));
  };
  const assigneeId = input.target?.kind === 'task' ? (input.target.assignee_id ?? null) : null;
  return await withKnownAssignee(
    ports.users,
    assigneeId,
    async () => await ports.tasks.transaction(change),
    assigneeField,
  );
}

type Place = Pick<Schedule, 'nextAt' | 'dueAt' | 'revision' | 'awaitsEnd'>;

async function placeOf({ rules }: SchedulePorts, old: Schedule, changed: Schedule, now: number): Promise<Place> {
  const { jitterSeconds } = changed;
  if (!isSameRule(old, changed) || jitterSeconds !== old.jitterSeconds)
    await requireJitterWithinInterval(rules, changed, { after: now, jitterSeconds });
  const revision = old.revision + (isSameRule(old, changed) ? 0 : 1);
  if (old.awaitsEnd && changed.regenerate === 'on_completion')
    return { revision, nextAt: null, dueAt: null, awaitsEnd: true };
  if (isSameRule(old, changed) && !old.awaitsEnd) {
    const isSame = old.jitterSeconds === changed.jitterSeconds || old.dueAt === null;
    return {
      ...{ revision, awaitsEnd: false },
      ...(isSame ? { nextAt: old.nextAt, dueAt: old.dueAt } : dueAtOf(changed, old.nextAt)),
    };
  }
  const [first] = await nextOccurrences(rules, changed, { after: Math.max(now, old.lastAt ?? 0), limit: 1 });
  return { revision, awaitsEnd: false, ...dueAtOf(changed, first?.at ?? null) };
}

/** Locks the schedule of a command, checks existence, permission and version, and decides all instants that have come, whatever their jitter. */
export async function lockUpToDate(
  ports: SchedulePorts,
  tx: Tx,
  { actor, scheduleId, requireVersion }: ScheduleCommand,
): Promise<{ schedule: StoredSchedule; now: number }> {
  const schedule = requireSchedule(await ports.schedules.lockSchedule(tx, scheduleId), actor);
  requireVersion(schedule.version);
  const now = await ports.clock.now(tx);
  return { schedule: await advanceToNow(ports, tx, schedule, now), now };
}

type Switch = ScheduleCommand & { request: IdempotentRequest | undefined };

/** Pauses a schedule. Instants during the pause are recorded as skipped. Pausing a paused schedule changes nothing. */
export async function pauseSchedule(ports: SchedulePorts, command: Switch): Promise<WriteResult<ScheduleSchema>> {
  return await ports.tasks.once<ScheduleSchema>(command.request, async (tx) => {
    const { schedule, now } = await lockUpToDate(ports, tx, command);
    if (schedule.pausedAt !== null) return scheduleDocument(schedule);
    const paused = { ...schedule, pausedAt: now, pauseReason: 'requested' } as const;
    return scheduleDocument(await ports.schedules.updateSchedule(tx, paused, zoneDatabase));
  });
}

/** Resumes a schedule. Records the remaining instants of the pause as skipped; none of them runs. */
export async function resumeSchedule(ports: SchedulePorts, command: Switch): Promise<WriteResult<ScheduleSchema>> {
  return await ports.tasks.once<ScheduleSchema>(command.request, async (tx) => {
    const { schedule: found, now } = await lockUpToDate(ports, tx, command);
    if (found.pausedAt === null) return scheduleDocument(found);
    // a schedule that was paused because its rule took too long has no `dueAt`
    const restored = found.dueAt === null ? { ...found, ...dueAtOf(found, found.nextAt) } : found;
    const schedule = await advanceToNow(ports, tx, restored, now);
    const resumed = { ...schedule, pausedAt: null, pauseReason: null, failures: 0 };
    tx.afterCommit(ports.wake);
    return scheduleDocument(await ports.schedules.updateSchedule(tx, resumed, zoneDatabase));
  });
}

/** Deletes a schedule. The tasks that it created stay. */
export async function deleteSchedule(ports: SchedulePorts, command: ScheduleCommand): Promise<void> {
  const { actor, scheduleId, requireVersion } = command;
  await ports.tasks.transaction(async (tx) => {
    const schedule = requireSchedule(await ports.schedules.lockSchedule(tx, scheduleId), actor);
    requireVersion(schedule.version);
    if (schedule.queuedAt !== null) {
      // a queued occurrence of a deleted schedule never runs, and is announced like any other skipped occurrence
      const row = skipped(schedule.queuedAt, 'overlap');
      const progress = { ...progressOf(schedule), queuedAt: null };
      await ports.schedules.recordOccurrences(tx, [{ schedule, rows: [row], progress }], ['queued']);
    }
    await ports.schedules.deleteSchedule(tx, scheduleId);
  });
}
