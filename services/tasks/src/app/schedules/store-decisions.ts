import type { Tx } from '@taskwire/postgres';
import type { LogEntry } from '../../domain/change.ts';
import { defaultReminder } from '../../domain/due-date.ts';
import { byUser, noPerformerAvailable } from '../../domain/creation.ts';
import { groundsOf } from '../../domain/fairness.ts';
import { addInZone, parseDuration } from '../../domain/schedules/duration.ts';
import { isoOf } from '../../domain/schedules/given-rule.ts';
import type { JobTarget, OccurrenceRow, Schedule, TaskTarget } from '../../domain/schedules/schedule.ts';
import { changeState } from '../../domain/transitions.ts';
import type { NewJob } from '../jobs/ports.ts';
import type { NewTask } from '../ports.ts';
import type { Progress, ScheduledTask, SchedulePorts } from './ports.ts';
import type { Step } from './run-occurrence.ts';

type Ports = Pick<SchedulePorts, 'schedules' | 'tasks' | 'jobs' | 'counted'>;

/** The decided occurrences of a schedule. */
export type Decision = {
  schedule: Schedule;
  rows: readonly OccurrenceRow[];
  progress: Progress;
  /** The steps, in the order in which they must happen. */
  steps: readonly Step[];
};

/**
 * Stores decisions about locked schedules, each at most once: what they create and cancel, their occurrences, and the progress of the schedules.
 * Everything that needs no particular order is stored by one statement for each table. `replaces`: see `recordOccurrences`.
 */
export async function storeDecisions(
  ports: Ports,
  tx: Tx,
  decisions: readonly Decision[],
  replaces?: readonly OccurrenceRow['state'][],
): Promise<void> {
  const created = collectCreated(ports, tx);
  for (const { schedule, steps } of decisions) {
    const { target } = schedule;
    for (const step of steps) {
      if (step.kind === 'cancel') {
        // this transaction may have created it a moment ago
        await created.store();
        await cancelLast(ports, tx, schedule, step);
      } else if (target.kind === 'job') {
        created.jobs.push({ ...jobOf(target, schedule, step.at), id: step.id });
      } else {
        const task = taskOf(target, schedule, step.at);
        if (target.assign === 'random') await created.store();
        created.tasks.push(
          target.assign === 'random'
            ? await assignedAtRandom(ports, tx, { task, id: step.id })
            : { task, id: step.id, grounds: byUser, awaitsPerformer: false },
        );
      }
    }
  }
  await created.store();
  await ports.schedules.recordOccurrences(tx, decisions, replaces);
  tx.afterCommit(() => decisions.forEach(({ rows }) => ports.counted(rows)));
}

/**
 * Collects new tasks and jobs until the next call of `store`. A task whose assignee is no performer becomes a draft that awaits one, like a task that has
 * lost its performer, so that the work is not lost.
 */
function collectCreated(ports: Ports, tx: Tx) {
  const [tasks, jobs]: [ScheduledTask[], NewJob[]] = [[], []];
  return {
    tasks,
    jobs,
    async store(): Promise<void> {
      const [newJobs, newTasks] = [jobs.splice(0), tasks.splice(0)];
      if (newJobs.length > 0) await ports.jobs.enqueueWithin(tx, newJobs);
      if (newTasks.length === 0) return;
      const stored = await ports.schedules.insertScheduledTasks(tx, newTasks);
      const unassigned = newTasks.filter(({ id }) => !stored.has(id)).map(awaitingPerformer);
      if (unassigned.length > 0) await ports.schedules.insertScheduledTasks(tx, unassigned);
    },
  };
}

function awaitingPerformer({ id, task }: Pick<ScheduledTask, 'id' | 'task'>): ScheduledTask {
  return { id, task: { ...task, assignee_id: null }, grounds: noPerformerAvailable, awaitsPerformer: true };
}

async function assignedAtRandom(
  { tasks }: Ports,
  tx: Tx,
  { task, id }: Pick<ScheduledTask, 'id' | 'task'>,
): Promise<ScheduledTask> {
  await tasks.lockAssignments(tx);
  const choice = await tasks.pickLeastLoaded(tx, { id: null, project_id: task.project_id });
  if (choice === undefined) return awaitingPerformer({ task, id });
  const assigned = { ...task, assignee_id: choice.performer_id };
  return { id, task: assigned, grounds: groundsOf(choice), awaitsPerformer: false };
}

function jobOf({ job }: JobTarget, { id, timeZone }: Schedule, at: number): NewJob {
  return {
    ...{ queue: job.queue, kind: job.kind, payload: JSON.stringify(job.payload), runAt: null, priority: job.priority },
    ...{ maxAttempts: job.max_attempts, deadline: timeAfter(at, job.deadline_in, timeZone) },
    ...{
      unique: null,
      concurrencyKey: job.concurrency_key,
      after: [],
      senderQueues: null,
      createdBy: `schedule:${id}`,
    },
  };
}

/** The instant after the given length of time; null without a length. */
function timeAfter(at: number, length: string | null, timeZone: string): string | null {
  const duration = length === null ? undefined : parseDuration(length);
  return duration === undefined ? null : isoOf(addInZone(at, duration, timeZone));
}

function taskOf(target: TaskTarget, { timeZone, creatorId }: Schedule, at: number): NewTask {
  const { title, description, priority, labels, project_id, assignee_id, due_in: dueIn } = target;
  const due_at = timeAfter(at, dueIn, timeZone);
  const due = {
    due_at,
    due_time_zone: due_at === null ? null : timeZone,
    due_all_day: false,
    remind_before: defaultReminder,
  };
  const place = { parent_id: null, project_id };
  return { title, description, priority, labels, ...due, ...place, creator_id: creatorId, assignee_id };
}

async function cancelLast(
  { schedules, tasks }: Ports,
  tx: Tx,
  schedule: Schedule,
  { lastTaskId, lastJobId }: Extract<Step, { kind: 'cancel' }>,
): Promise<void> {
  if (lastJobId !== null) await schedules.cancelJob(tx, lastJobId, schedule);
  if (lastTaskId === null) return;
  const task = await tasks.lockTaskToEnd(tx, lastTaskId, null);
  if (task === undefined || task.state === 'completed' || task.state === 'cancelled') return;
  const { log, ...change } = changeState(task, 'cancelled');
  const explained = log.map((entry): LogEntry => ({ ...entry, reason: 'the next occurrence of its schedule is due' }));
  await tasks.applyChange(tx, task, { ...change, log: explained }, null);
}
