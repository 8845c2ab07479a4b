import { isoMicros } from '@taskwire/postgres';
import type { StoredOccurrence, StoredSchedule } from '../../app/schedules/ports.ts';

/** SQL for an instant in milliseconds since 1970, as the domain counts. */
export function millis(column: string): string {
  return `(extract(epoch FROM ${column}) * 1000)::float8`;
}

/** SQL for the instant of a number of milliseconds since 1970. */
export function instantOf(value: string): string {
  return `(timestamptz 'epoch' + ${value}::float8 * interval '1 millisecond')`;
}

/** Schedules that release 0.3.0 stored have no project. */
const target = `CASE schedule.target ->> 'kind' WHEN 'task' THEN '{"project_id": null}'::jsonb || schedule.target ELSE schedule.target END`;

/** The columns of a schedule under the names of the domain. */
export const scheduleColumns = `
  schedule.id, schedule.creator_id AS "creatorId", schedule.kind, schedule.expression, schedule.time_zone AS "timeZone",
  ${millis('schedule.starts_at')} AS "startsAt", ${millis('schedule.ends_at')} AS "endsAt", schedule.dst_gap AS "dstGap", ${target} AS target,
  schedule.acts_for AS "actsFor", schedule.catch_up AS "catchUp", schedule.overlap, schedule.regenerate, schedule.jitter_seconds AS "jitterSeconds",
  schedule.pause_after_failures AS "pauseAfterFailures", schedule.failures, ${millis('schedule.paused_at')} AS "pausedAt",
  schedule.pause_reason AS "pauseReason", schedule.revision, ${millis('schedule.next_at')} AS "nextAt", ${millis('schedule.due_at')} AS "dueAt",
  ${millis('schedule.last_at')} AS "lastAt", schedule.last_task_id AS "lastTaskId", schedule.last_job_id AS "lastJobId", schedule.awaits_end AS "awaitsEnd", ${millis('schedule.queued_at')} AS "queuedAt",
  schedule.version, ${isoMicros('schedule.created_at')} AS "createdAt", ${isoMicros('schedule.updated_at')} AS "updatedAt"`;

export type ScheduleRow = StoredSchedule;

export const occurrenceColumns = `
  ${millis('occurrence.nominal_at')} AS at, occurrence.cause, occurrence.state, occurrence.reason, occurrence.task_id AS "taskId", occurrence.job_id AS "jobId",
  occurrence.revision, ${isoMicros('occurrence.decided_at')} AS "decidedAt"`;

export type OccurrenceRecord = StoredOccurrence;
