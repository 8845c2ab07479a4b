import { onlyRow, query, type Database } from '@taskwire/postgres';
import type { NewSchedule, ScheduleStore } from '../../app/schedules/ports.ts';
import type { ProjectRole } from '../../domain/projects/role.ts';
import type { LastRun } from '../../domain/schedules/schedule.ts';
import type { Role } from '../../domain/task.ts';
import { cancelJobWithin } from '../jobs/cancel-within.ts';
import type { PerformerSql } from '../performer-sql.ts';
import { creatingScheduledTasks } from './create-tasks.ts';
import { scheduleLocks } from './locks.ts';
import { scheduleReads } from './reads.ts';
import { record } from './record.ts';
import { instantOf, scheduleColumns, type ScheduleRow } from './rows.ts';

const insertSchedule = `
  INSERT INTO schedules AS schedule (kind, expression, time_zone, starts_at, ends_at, dst_gap, target, acts_for, catch_up, overlap, jitter_seconds,
    pause_after_failures, paused_at, pause_reason, next_at, due_at, zone_database, regenerate, creator_id)
  VALUES ($1, $2, $3, ${instantOf('$4')}, ${instantOf('$5')}, $6, $7, $8, $9, $10, $11, $12, ${instantOf('$13')}, $14, ${instantOf('$15')},
    ${instantOf('$16')}, $17, $18, $19)
  RETURNING ${scheduleColumns}`;

const updateSchedule = `
  UPDATE schedules schedule SET kind = $1, expression = $2, time_zone = $3, starts_at = ${instantOf('$4')}, ends_at = ${instantOf('$5')}, dst_gap = $6,
    target = $7, acts_for = $8, catch_up = $9, overlap = $10, jitter_seconds = $11, pause_after_failures = $12, paused_at = ${instantOf('$13')},
    pause_reason = $14, next_at = ${instantOf('$15')}, due_at = ${instantOf('$16')}, zone_database = $17, regenerate = $18, revision = $20, failures = $21,
    awaits_end = $22,    version = version + 1, updated_at = clock_timestamp()
  WHERE id = $19
  RETURNING ${scheduleColumns}`;

const deleteSchedule = `
  UPDATE schedules SET deleted_at = clock_timestamp(), due_at = NULL, queued_at = NULL, awaits_end = false, version = version + 1 WHERE id = $1`;

/** For its schedule, a deleted task counts as cancelled. A job whose row was removed ended long ago. */
export const readGrounds = {
  name: 'tasks.read_grounds_of_schedules',
  text: `
  SELECT coalesce(
      (SELECT CASE WHEN deleted_at IS NOT NULL THEN 'cancelled' WHEN state = 'completed' THEN 'succeeded' WHEN state = 'cancelled' THEN state
        ELSE 'unfinished' END FROM tasks WHERE id = given.task_id),
      (SELECT CASE state WHEN 'succeeded' THEN state WHEN 'cancelled' THEN state WHEN 'dead' THEN 'failed' ELSE 'unfinished' END
        FROM jobs WHERE id = given.job_id),
      'none') AS last,
    (SELECT role FROM directory_users WHERE id = given.acts_for) AS role,
    EXISTS (SELECT FROM directory_users WHERE id = given.acts_for AND is_deleted) AS "isDeleted",
    (SELECT role FROM project_members WHERE project_id = given.project_id AND user_id = given.acts_for) AS "projectRole",
    EXISTS (SELECT FROM projects WHERE id = given.project_id AND archived_at IS NOT NULL) AS "isArchived"
  FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[]) WITH ORDINALITY AS given (task_id, job_id, acts_for, project_id, place)
  ORDER BY given.place`,
};

type Grounds = {
  last: LastRun;
  role: Role | null;
  isDeleted: boolean;
  projectRole: ProjectRole | null;
  isArchived: boolean;
};

export function createScheduleStore(db: Database, performer: PerformerSql): ScheduleStore {
  return {
    ...scheduleReads(db.pool),
    ...scheduleLocks(db),
    ...creatingScheduledTasks(performer),
    recordOccurrences: record,

    async insertSchedule(tx, schedule) {
      const values = [...columnsOf(schedule, schedule.zoneDatabase), schedule.creatorId];
      return onlyRow(await query<ScheduleRow>(tx, insertSchedule, values));
    },

    async updateSchedule(tx, schedule, zoneDatabase) {
      const { id, revision, failures, awaitsEnd } = schedule;
      const [row] = await query<ScheduleRow>(tx, updateSchedule, [
        ...columnsOf(schedule, zoneDatabase),
        id,
        revision,
        failures,
        awaitsEnd,
      ]);
      if (row === undefined) throw new Error(`the schedule ${id} is locked, but does not exist`);
      return row;
    },

    deleteSchedule: async (tx, id) => void (await query(tx, deleteSchedule, [id])),
    async readGrounds(tx, asked) {
      const values = [
        asked.map(({ lastTaskId }) => lastTaskId),
        asked.map(({ lastJobId }) => lastJobId),
        asked.map(({ actsFor }) => actsFor),
        asked.map(({ projectId }) => projectId),
      ];
      const rows = await query<Grounds>(tx, { ...readGrounds, values });
      return asked.flatMap(({ actsFor: userId, projectId }, place) => {
        const row = rows[place];
        if (row === undefined) return [];
        const { last, role, isDeleted, projectRole, isArchived } = row;
        const project = { project_id: projectId, project_role: projectRole, project_is_archived: isArchived };
        return [{ last, standing: { userId, role, isDeleted, place: project } }];
      });
    },
    cancelJob: async (tx, jobId, { id }) =>
      await cancelJobWithin(tx, jobId, { name: `schedule:${id}`, userId: null, isFinal: false }),
  };
}

/** The values of $1 to $18 of both statements. */
function columnsOf(schedule: Omit<NewSchedule, 'zoneDatabase'>, zoneDatabase: string): unknown[] {
  const { kind, expression, timeZone, startsAt, endsAt, dstGap, target, actsFor, catchUp, overlap, regenerate } =
    schedule;
  const { jitterSeconds, pauseAfterFailures, pausedAt, pauseReason, nextAt, dueAt } = schedule;
  const rule = [kind, expression, timeZone, startsAt, endsAt, dstGap];
  const settings = [JSON.stringify(target), actsFor, catchUp, overlap, jitterSeconds, pauseAfterFailures];
  return [...rule, ...settings, pausedAt, pauseReason, nextAt, dueAt, zoneDatabase, regenerate];
}
