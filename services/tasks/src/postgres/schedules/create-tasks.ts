import { eventHeaders, runWithEvents } from '@taskwire/outbox';
import type { ScheduledTask, ScheduleWrites } from '../../app/schedules/ports.ts';
import { creation } from '../../domain/creation.ts';
import type { PerformerSql } from '../performer-sql.ts';
import { recordChangeSql } from '../record-change.ts';

/**
 * Stores many tasks of schedules with their events and activity entries, and returns the ids of those that it stored. The system is the actor, so that a
 * creator who is assigned their own task is notified of it.
 */
export function scheduledCreationSql({ isPerformer }: PerformerSql) {
  // because of the locks, an assignee remains a performer, and a contributor, until the transaction commits
  const performers = `
    SELECT id FROM directory_users performer
    WHERE performer.id = ANY (ARRAY(SELECT assignee_id FROM given)) AND ${isPerformer('performer')} ORDER BY id FOR SHARE`;
  // LATERAL with a LIMIT forces one look-up per assignee: PostgreSQL expects 100 rows, and would read the whole table of members
  const contributors = `
    SELECT own.user_id, own.project_id
    FROM (SELECT DISTINCT assignee_id, project_id FROM given WHERE project_id IS NOT NULL ORDER BY assignee_id, project_id) AS wanted
    CROSS JOIN LATERAL (
      SELECT user_id, project_id FROM project_members
      WHERE user_id = wanted.assignee_id AND project_id = wanted.project_id AND role <> 'viewer' LIMIT 1 FOR SHARE
    ) AS own`;
  return {
    draft: { name: 'tasks.create_scheduled_drafts', text: insertSql("'draft'", '', 'given') },
    assigned: {
      name: 'tasks.create_scheduled_assigned',
      text: insertSql(
        "'assigned'",
        `performers AS MATERIALIZED (${performers}), contributors AS MATERIALIZED (${contributors}),`,
        `given JOIN performers ON performers.id = given.assignee_id
      LEFT JOIN contributors ON contributors.user_id = given.assignee_id AND contributors.project_id = given.project_id
    WHERE given.project_id IS NULL OR contributors.user_id IS NOT NULL`,
      ),
    },
  };
}

function insertSql(state: string, parts: string, from: string): string {
  return `
  WITH given AS MATERIALIZED (
    SELECT listed.*, clock.now FROM jsonb_to_recordset($1::jsonb) AS listed (id uuid, title text, description text, priority text,
      due_at timestamptz, due_time_zone text, due_all_day boolean, remind_before text, labels text[], creator_id uuid, assignee_id uuid, project_id uuid,
      awaiting_performer boolean, events jsonb, log jsonb), (SELECT clock_timestamp() AS now) AS clock
  ), ${parts}
  stored AS (
    INSERT INTO tasks (
      id, title, description, state, priority, due_at, due_time_zone, due_all_day, remind_before, labels, creator_id, assignee_id, project_id,
      awaiting_performer, kind, version, created_at, updated_at
    )
    SELECT given.id, title, description, ${state}, priority, due_at, due_time_zone, due_all_day, remind_before, labels, creator_id, assignee_id,
      given.project_id, awaiting_performer, 'task', 1, now, now + (jsonb_array_length(events) - 1) * interval '1 microsecond'
    FROM ${from} ORDER BY given.id
    RETURNING id, project_id, updated_at
  ), created AS (
    SELECT stored.id, stored.project_id, stored.updated_at, given.events, given.log FROM stored JOIN given USING (id)
  ), ${recordChangeSql('created', 'NULL::uuid', '$2::json')}
  SELECT id FROM stored`;
}

/** Stores the tasks of schedules, drafts and assigned ones by a statement each. */
export function creatingScheduledTasks(performer: PerformerSql): Pick<ScheduleWrites, 'insertScheduledTasks'> {
  const { draft, assigned } = scheduledCreationSql(performer);
  return {
    async insertScheduledTasks(tx, tasks) {
      const stored = new Set<string>();
      for (const [statement, chosen] of [
        [draft, tasks.filter(({ task }) => task.assignee_id === null)],
        [assigned, tasks.filter(({ task }) => task.assignee_id !== null)],
      ] as const) {
        if (chosen.length === 0) continue;
        const values = [JSON.stringify(chosen.map(columnsOf)), eventHeaders()];
        for (const { id } of await runWithEvents<{ id: string }>(tx, { ...statement, values })) stored.add(id);
      }
      return stored;
    },
  };
}

function columnsOf({ id, task, grounds, awaitsPerformer }: ScheduledTask) {
  return { id, ...task, awaiting_performer: awaitsPerformer, ...creation(task.assignee_id, grounds) };
}
