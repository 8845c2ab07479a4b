import { eventHeaders, outboxInsertSql, runWithEvents } from '@taskwire/outbox';
import { isoMicros, type Tx } from '@taskwire/postgres';
import type { ScheduleWrites } from '../../app/schedules/ports.ts';
import { instantOf } from './rows.ts';

/**
 * One statement for many schedules, so that an occurrence and the next instant cannot be stored without each other. The schedules are changed first,
 * and so locked before their events enter the outbox. The ids are also passed as an array, which PostgreSQL looks up one by one: for the join alone,
 * it may read the whole table.
 */
export const recordOccurrences = {
  name: 'tasks.record_occurrences',
  text: `
  WITH given AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS given (id uuid, next_at float8, due_at float8, last_at float8, last_task_id uuid, last_job_id uuid,
      queued_at float8, awaits_end boolean, failures integer, paused_at float8, pause_reason text, zone_database text, occurrences jsonb)
  ), advanced AS (
    UPDATE schedules SET next_at = ${instantOf('given.next_at')}, due_at = ${instantOf('given.due_at')}, last_at = ${instantOf('given.last_at')},
      last_task_id = given.last_task_id, last_job_id = given.last_job_id, queued_at = ${instantOf('given.queued_at')}, awaits_end = given.awaits_end,
      failures = given.failures, paused_at = ${instantOf('given.paused_at')}, pause_reason = given.pause_reason, zone_database = given.zone_database
    FROM given WHERE schedules.id = given.id AND schedules.id = ANY (ARRAY(SELECT id FROM given))
    RETURNING schedules.id, schedules.revision, given.occurrences
  ), decided AS (
    INSERT INTO schedule_occurrences AS held (schedule_id, nominal_at, revision, cause, state, reason, task_id, job_id)
    SELECT advanced.id, ${instantOf('made.at')}, advanced.revision, made.cause, made.state, made.reason, made.task_id, made.job_id
    FROM advanced, jsonb_to_recordset(advanced.occurrences) AS made (at float8, cause text, state text, reason text, task_id uuid, job_id uuid)
    ON CONFLICT (schedule_id, nominal_at) DO UPDATE SET
      cause = excluded.cause, state = excluded.state, reason = excluded.reason, task_id = excluded.task_id,
      job_id = excluded.job_id, decided_at = clock_timestamp()
    WHERE held.state = ANY ($2::text[])
    RETURNING schedule_id, nominal_at, state, reason
  ), emitted AS (
    ${outboxInsertSql(`
    SELECT 'tasks.schedule.skipped', skipped.schedule_id::text, json_build_object(
        'schedule_uuid', skipped.schedule_id, 'nominal_at', ${isoMicros('skipped.nominal_at')}, 'reason', skipped.reason,
        'timestamp', ${isoMicros("(clock.now + skipped.place * interval '1 microsecond')")}, 'actor', NULL), $3::json
    FROM (SELECT clock_timestamp() AS now) AS clock,
      (SELECT decided.*, row_number() OVER (PARTITION BY schedule_id ORDER BY nominal_at) AS place FROM decided WHERE state = 'skipped') AS skipped
    ORDER BY skipped.schedule_id, skipped.place`)}
  )
  SELECT count(*)::integer AS stored FROM decided`,
};

type Decided = Parameters<ScheduleWrites['recordOccurrences']>[1][number];

export const record: ScheduleWrites['recordOccurrences'] = async (tx: Tx, decisions, replaces = []) => {
  const values = [JSON.stringify(decisions.map(columnsOf)), replaces, eventHeaders()];
  const [result] = await runWithEvents<{ stored: number }>(tx, { ...recordOccurrences, values });
  const expected = decisions.reduce((sum, { rows }) => sum + rows.length, 0);
  if (result?.stored !== expected) {
    const ids = decisions.map(({ schedule }) => schedule.id);
    throw new Error(`an occurrence of one of the schedules ${ids.join(', ')} was decided before`);
  }
};

function columnsOf({ schedule: { id }, rows, progress }: Decided) {
  const { nextAt, dueAt, lastAt, lastTaskId, lastJobId, queuedAt, awaitsEnd, failures, pausedAt } = progress;
  return {
    ...{ id, next_at: nextAt, due_at: dueAt, last_at: lastAt, last_task_id: lastTaskId, last_job_id: lastJobId },
    ...{ queued_at: queuedAt, awaits_end: awaitsEnd, failures, paused_at: pausedAt },
    ...{ pause_reason: progress.pauseReason, zone_database: progress.zoneDatabase },
    occurrences: rows.map(({ taskId, jobId, ...row }) => ({ ...row, task_id: taskId, job_id: jobId })),
  };
}
