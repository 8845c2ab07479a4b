import type { tasksRoutes } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import type { Tx } from '@taskwire/postgres';
import type { z } from 'zod';
import type { Actor } from '../../domain/task.ts';
import type { KnownQueues } from '../jobs/known-queues.ts';
import type { IdempotentRequest, Users, WriteResult } from '../ports.ts';
import { withKnownAssignee } from '../eligibility.ts';
import { zoneDatabase } from './advance.ts';
import { scheduleDocument, type ScheduleSchema } from './document.ts';
import { newScheduleOf } from './given-schedule.ts';
import type { SchedulePorts } from './ports.ts';
import { assigneeField, findUnknownTargetQueue, requireTarget } from './require-target.ts';
import { nextOccurrences, requireJitterWithinInterval } from './rule-evaluator.ts';

/** A user's schedules may create one task a minute each, so their number bounds what one user can cause. */
const mostSchedules = 200;

type Command = {
  actor: Actor;
  input: z.output<typeof tasksRoutes.createSchedule.body>;
  request: IdempotentRequest | undefined;
};

/** Creates a schedule whose first occurrence is after now. */
export async function createSchedule(
  ports: SchedulePorts & { users: Users; knownQueues: KnownQueues },
  { actor, input, request }: Command,
): Promise<WriteResult<ScheduleSchema>> {
  const unknownQueue = await findUnknownTargetQueue(ports.knownQueues, actor, input.target);
  const create = async (tx: Tx) => {
    // judged only here, because a repeated key gets the saved response although the rule may have no instant left
    const now = await ports.clock.now(tx);
    const { rule, settings } = newScheduleOf(input, now);
    const [first] = await nextOccurrences(ports.rules, rule, { after: now, limit: 1 });
    await requireJitterWithinInterval(ports.rules, rule, { after: now, jitterSeconds: settings.jitterSeconds });
    await requireTarget(ports, tx, actor, settings.target);
    if (unknownQueue !== undefined) throw unknownQueue;
    if ((await ports.schedules.countSchedules(actor.id)) >= mostSchedules) throw tooMany();
    const paused = input.paused
      ? ({ pausedAt: now, pauseReason: 'requested' } as const)
      : { pausedAt: null, pauseReason: null };
    const owner = { creatorId: actor.id, actsFor: actor.id };
    // the jitter depends on the id, which the database generates, so the loop wakes at the nominal instant and waits out the jitter
    const place = { nextAt: first?.at ?? null, dueAt: first?.at ?? null };
    const created = await ports.schedules.insertSchedule(tx, {
      ...rule,
      ...settings,
      ...owner,
      ...paused,
      ...place,
      zoneDatabase,
    });
    tx.afterCommit(ports.wake);
    return scheduleDocument(created);
  };
  const assigneeId = input.target.kind === 'task' ? (input.target.assignee_id ?? null) : null;
  const once = async () => await ports.tasks.once<ScheduleSchema>(request, create);
  return await withKnownAssignee(ports.users, assigneeId, once, assigneeField);
}

function tooMany() {
  return problem(
    'too_many_schedules',
    `A user can have ${mostSchedules} schedules. Delete one that is no longer needed.`,
  );
}
