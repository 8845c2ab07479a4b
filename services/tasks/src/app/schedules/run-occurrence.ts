import type { Tx } from '@taskwire/postgres';
import type { LogEntry } from '../../domain/change.ts';
import { defaultReminder } from '../../domain/due-date.ts';
import { assignmentReason } from '../../domain/fairness.ts';
import { addInZone, parseDuration } from '../../domain/schedules/duration.ts';
import { isoOf } from '../../domain/schedules/given-rule.ts';
import { assigns } from '../../domain/schedules/permission.ts';
import type { JobTarget, OccurrenceRow, Schedule, TaskTarget } from '../../domain/schedules/schedule.ts';
import { changeState } from '../../domain/transitions.ts';
import type { NewJob } from '../jobs/ports.ts';
import type { NewTask } from '../ports.ts';
import { runIdOf } from './occurrence-id.ts';
import type { SchedulePorts } from './ports.ts';

type Ports = Pick<SchedulePorts, 'schedules' | 'tasks' | 'jobs'>;
type Occurrence = { at: number; cause: OccurrenceRow['cause'] };

/**
 * Creates the task of an occurrence, or enqueues its job. Without an eligible performer the task is a draft that awaits one, like a task that has lost its performer, so that
 * the work is not lost.
 */
export async function runOccurrence(
  ports: Ports,
  tx: Tx,
  schedule: Schedule,
  { at, cause }: Occurrence,
): Promise<OccurrenceRow> {
  const { target } = schedule;
  const asManager = target.kind === 'job' || assigns(target);
  if (!(await ports.schedules.mayCreate(tx, schedule.actsFor, { asManager }))) {
    return { at, cause, state: 'failed', reason: 'not_permitted', taskId: null, jobId: null };
  }
  const id = runIdOf(target.kind, schedule.id, at);
  const ran = { at, cause, state: 'ran', reason: null } as const;
  if (target.kind === 'job') {
    await ports.jobs.enqueueWithin(tx, { ...jobOf(target, schedule, at), id }, `schedule:${schedule.id}`);
    return { ...ran, taskId: null, jobId: id };
  }
  await createTask(ports, tx, { task: taskOf(target, schedule, at), target, id });
  return { ...ran, taskId: id, jobId: null };
}

async function createTask(
  { schedules, tasks }: Ports,
  tx: Tx,
  { task, target, id }: { task: NewTask; target: TaskTarget; id: string },
): Promise<void> {
  if (target.assign === 'random') {
    await tasks.lockAssignments(tx);
    const choice = await tasks.pickLeastLoaded(tx, null);
    if (choice !== undefined) {
      const assigned = { ...task, assignee_id: choice.performer_id };
      if (await schedules.insertScheduledTask(tx, assigned, { id, reason: assignmentReason(choice) })) return;
    }
  } else if (await schedules.insertScheduledTask(tx, task, { id, reason: null })) return;
  await schedules.insertScheduledTask(tx, { ...task, assignee_id: null }, { id, reason: null });
  await schedules.awaitPerformer(tx, id);
}

function jobOf({ job }: JobTarget, { timeZone }: Schedule, at: number): NewJob {
  return {
    ...{ queue: job.queue, kind: job.kind, payload: JSON.stringify(job.payload), runAt: null, priority: job.priority },
    ...{ maxAttempts: job.max_attempts, deadline: timeAfter(at, job.deadline_in, timeZone) },
    ...{ unique: null, concurrencyKey: job.concurrency_key, after: [] },
  };
}

/** The instant after the given length of time; null without a length. */
function timeAfter(at: number, length: string | null, timeZone: string): string | null {
  const duration = length === null ? undefined : parseDuration(length);
  return duration === undefined ? null : isoOf(addInZone(at, duration, timeZone));
}

function taskOf(target: TaskTarget, { timeZone, creatorId }: Schedule, at: number): NewTask {
  const { title, description, priority, labels, assignee_id, due_in: dueIn } = target;
  const due_at = timeAfter(at, dueIn, timeZone);
  const due = {
    due_at,
    due_time_zone: due_at === null ? null : timeZone,
    due_all_day: false,
    remind_before: defaultReminder,
  };
  return { title, description, priority, labels, ...due, creator_id: creatorId, assignee_id };
}

/** Cancels the last task or job of a schedule, unless it has ended. */
export async function cancelLast({ schedules, tasks }: Ports, tx: Tx, schedule: Schedule): Promise<void> {
  const { lastTaskId: taskId, lastJobId: jobId } = schedule;
  if (jobId !== null) await schedules.cancelJob(tx, jobId, schedule);
  if (taskId === null) return;
  const task = await tasks.lockTask(tx, taskId, null);
  if (task === undefined || task.state === 'completed' || task.state === 'cancelled') return;
  const { log, ...change } = changeState(task, 'cancelled');
  const explained = log.map((entry): LogEntry => ({ ...entry, reason: 'the next occurrence of its schedule is due' }));
  await tasks.applyChange(tx, task, { ...change, log: explained }, null);
}
