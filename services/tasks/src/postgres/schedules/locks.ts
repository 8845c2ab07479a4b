import { onlyRow, query, type Database } from '@taskwire/postgres';
import type { ScheduleWrites, Work } from '../../app/schedules/ports.ts';
import { millis, scheduleColumns, type ScheduleRow } from './rows.ts';

const lockSchedule = `
  SELECT ${scheduleColumns} FROM schedules schedule WHERE schedule.id = $1 AND schedule.deleted_at IS NULL FOR UPDATE`;

export const lockDue = {
  name: 'tasks.lock_due_schedules',
  text: `
  SELECT ${scheduleColumns} FROM schedules schedule WHERE schedule.due_at <= clock_timestamp()
  ORDER BY schedule.due_at LIMIT $1 FOR UPDATE SKIP LOCKED`,
};

/**
 * Whether the last task or job has ended, or was removed permanently. Uses scalar subqueries, because few schedules wait for an end, and PostgreSQL
 * may turn NOT EXISTS into a join that reads all tasks.
 */
const hasEnded = `NOT coalesce((
    SELECT task.deleted_at IS NULL AND task.state IN ('draft', 'assigned', 'in_progress') FROM tasks task WHERE task.id = schedule.last_task_id
  ), (
    SELECT job.state IN ('scheduled', 'queued', 'leased') FROM jobs job WHERE job.id = schedule.last_job_id
  ), false)`;

/** True for a schedule with a queued occurrence that can run. */
const isReleased = `schedule.queued_at IS NOT NULL AND ${hasEnded}`;

/** True for a schedule whose next instant can be computed. */
const isEnded = `schedule.awaits_end AND ${hasEnded}`;

export const lockEnded = {
  name: 'tasks.lock_ended_schedules',
  text: `
  SELECT ${scheduleColumns}, ${millis(`coalesce(
      (SELECT job.settled_at FROM jobs job WHERE job.id = schedule.last_job_id),
      (SELECT coalesce(task.deleted_at, task.updated_at) FROM tasks task WHERE task.id = schedule.last_task_id), clock_timestamp())`)} AS "endedAt"
  FROM schedules schedule WHERE ${isEnded}
  ORDER BY schedule.id LIMIT $1 FOR UPDATE OF schedule SKIP LOCKED`,
};

const lockLastJobs = 'SELECT FROM jobs WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE';

export const lockReleased = {
  name: 'tasks.lock_released_schedules',
  text: `
  SELECT ${scheduleColumns} FROM schedules schedule WHERE ${isReleased}
  ORDER BY schedule.id LIMIT $1 FOR UPDATE OF schedule SKIP LOCKED`,
};

/** Leaves out schedules whose next instant has come: advancing them computes the following one with the new database anyway. */
const isOutdated = (zoneDatabase: string) =>
  `schedule.zone_database < ${zoneDatabase} AND schedule.due_at IS NOT NULL AND schedule.next_at > clock_timestamp()`;

export const lockOutdated = {
  name: 'tasks.lock_outdated_schedules',
  text: `
  SELECT ${scheduleColumns} FROM schedules schedule WHERE ${isOutdated('$1')}
  ORDER BY schedule.zone_database LIMIT $2 FOR UPDATE SKIP LOCKED`,
};

/** Runs every second in each process, so a round without work must cost only one statement, and no transaction. */
export const readWork = {
  name: 'tasks.read_schedule_work',
  text: `
  SELECT (
      SELECT (extract(epoch FROM due_at - clock_timestamp()) * 1000)::float8 FROM schedules WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1
    ) AS "dueInMs",
    EXISTS (SELECT FROM schedules schedule WHERE ${isReleased}) AS released,
    EXISTS (SELECT FROM schedules schedule WHERE ${isEnded}) AS ended,
    EXISTS (SELECT FROM schedules schedule WHERE ${isOutdated('$1')}) AS outdated`,
};

/** A minute, the shortest interval of a schedule. */
const postponeFirst = `
  UPDATE schedules SET due_at = clock_timestamp() + interval '1 minute'
  WHERE id = (SELECT id FROM schedules WHERE due_at <= clock_timestamp() ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)`;

type Locks = Pick<
  ScheduleWrites,
  | ('lockSchedule' | 'lockDue' | 'lockReleased' | 'lockEnded' | 'lockLastJobs')
  | ('lockOutdated' | 'postponeFirst' | 'readWork')
>;

export function scheduleLocks(db: Database): Locks {
  return {
    lockSchedule: async (tx, id) => (await query<ScheduleRow>(tx, lockSchedule, [id]))[0],
    lockDue: async (tx, limit) => await query<ScheduleRow>(tx, { ...lockDue, values: [limit] }),
    lockReleased: async (tx, limit) => await query<ScheduleRow>(tx, { ...lockReleased, values: [limit] }),
    async lockEnded(tx, limit) {
      const rows = await query<ScheduleRow & { endedAt: number }>(tx, { ...lockEnded, values: [limit] });
      // rules have whole seconds
      return rows.map(({ endedAt, ...row }) => ({ ...row, endedAt: Math.ceil(endedAt / 1_000) * 1_000 }));
    },
    async lockLastJobs(tx, schedules) {
      const ids = schedules.flatMap(({ overlap, lastJobId: id }) =>
        overlap === 'cancel_running' && id !== null ? [id] : [],
      );
      if (ids.length > 0) await query(tx, lockLastJobs, [ids]);
    },
    lockOutdated: async (tx, zoneDatabase, limit) =>
      await query<ScheduleRow>(tx, { ...lockOutdated, values: [zoneDatabase, limit] }),
    postponeFirst: async () => void (await query(db.pool, postponeFirst)),
    async readWork(zoneDatabase) {
      return onlyRow(await query<Work>(db.pool, { ...readWork, values: [zoneDatabase] }));
    },
  };
}
