import { eventHeaders, outboxInsertSql, runWithEvents } from '@taskwire/outbox';
import { isoMicros, type Tx } from '@taskwire/postgres';
import type { ScheduleWrites } from '../../app/schedules/ports.ts';
import { instantOf } from './rows.ts';

/**
 * One statement, so that an occurrence and the next instant cannot be stored without each other. The schedule is changed first, and so locked before
 * its events enter the outbox.
 */
export const recordOccurrences = {
  name: 'tasks.record_occurrences',
  text: `
  WITH advanced AS (
    UPDATE schedules SET next_at = ${instantOf('$2')}, due_at = ${instantOf('$3')}, last_at = ${instantOf('$4')}, last_task_id = $5,
      queued_at = ${instantOf('$6')}, failures = $7, paused_at = ${instantOf('$8')}, pause_reason = $9, zone_database = $10, last_job_id = $14,
      awaits_end = $15
    WHERE id = $1 RETURNING id, revision
  ), decided AS (
    INSERT INTO schedule_occurrences AS held (schedule_id, nominal_at, revision, cause, state, reason, task_id, job_id)
    SELECT advanced.id, ${instantOf('given.at')}, advanced.revision, given.cause, given.state, given.reason, given.task_id, given.job_id
    FROM advanced, jsonb_to_recordset($11::jsonb) AS given (at float8, cause text, state text, reason text, task_id uuid, job_id uuid)
    ON CONFLICT (schedule_id, nominal_at) DO UPDATE SET
      cause = excluded.cause, state = excluded.state, reason = excluded.reason, task_id = excluded.task_id,
      job_id = excluded.job_id, decided_at = clock_timestamp()
    WHERE held.state = ANY ($12::text[])
    RETURNING schedule_id, nominal_at, state, reason
  ), emitted AS (
    ${outboxInsertSql(`
    SELECT 'tasks.schedule.skipped', skipped.schedule_id::text, json_build_object(
        'schedule_uuid', skipped.schedule_id, 'nominal_at', ${isoMicros('skipped.nominal_at')}, 'reason', skipped.reason,
        'timestamp', ${isoMicros("(clock.now + skipped.place * interval '1 microsecond')")}, 'actor', NULL), $13::json
    FROM (SELECT clock_timestamp() AS now) AS clock,
      (SELECT decided.*, row_number() OVER (ORDER BY nominal_at) AS place FROM decided WHERE state = 'skipped') AS skipped
    ORDER BY skipped.place`)}
  )
  SELECT count(*)::integer AS stored FROM decided`,
};

export const record: ScheduleWrites['recordOccurrences'] = async (tx: Tx, schedule, rows, progress, replaces = []) => {
  const { nextAt, dueAt, lastAt, lastTaskId, queuedAt, failures, pausedAt, pauseReason, zoneDatabase } = progress;
  const given = rows.map(({ taskId, jobId, ...row }) => ({ ...row, task_id: taskId, job_id: jobId }));
  const place = [
    schedule.id,
    nextAt,
    dueAt,
    lastAt,
    lastTaskId,
    queuedAt,
    failures,
    pausedAt,
    pauseReason,
    zoneDatabase,
  ];
  const values = [...place, JSON.stringify(given), replaces, eventHeaders(), progress.lastJobId, progress.awaitsEnd];
  const [result] = await runWithEvents<{ stored: number }>(tx, { ...recordOccurrences, values });
  if (result?.stored !== rows.length)
    throw new Error(`an occurrence of the schedule ${schedule.id} was decided before`);
};
