import type { OccurrenceRow, Schedule } from '../../domain/schedules/schedule.ts';
import { runIdOf } from './occurrence-id.ts';
import type { Situation } from './ports.ts';

/**
 * A step of a decision besides storing its occurrences: creates the task or job of an occurrence, with this id, or cancels the last task or job
 * unless it has ended.
 */
export type Step =
  { kind: 'run'; at: number; id: string } | ({ kind: 'cancel' } & Pick<Schedule, 'lastTaskId' | 'lastJobId'>);

type Occurrence = { at: number; cause: OccurrenceRow['cause'] };

/**
 * The row of an occurrence that is to run, and its step. The occurrence fails if the user for whom it acts may no longer create such a task or job. It is
 * skipped while the project of its task is archived, as if the schedule were paused.
 */
export function runOccurrence(
  { id: scheduleId, target }: Schedule,
  { at, cause }: Occurrence,
  { hindrance }: Pick<Situation, 'hindrance'>,
): { row: OccurrenceRow; steps: Step[] } {
  const without = { at, cause, taskId: null, jobId: null };
  if (hindrance === 'project_archived') return { row: { ...without, state: 'skipped', reason: hindrance }, steps: [] };
  if (hindrance !== null) return { row: { ...without, state: 'failed', reason: hindrance }, steps: [] };
  const id = runIdOf(target.kind, scheduleId, at);
  const ran = { at, cause, state: 'ran', reason: null } as const;
  const row = target.kind === 'job' ? { ...ran, taskId: null, jobId: id } : { ...ran, taskId: id, jobId: null };
  return { row, steps: [{ kind: 'run', at, id }] };
}
