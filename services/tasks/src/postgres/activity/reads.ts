import { isoMicros, keyset, onlyRow, pageOf, query, type Database, type Keyset } from '@taskwire/postgres';
import type { ActivityReads, ExplanationJson, ShownTask } from '../../app/activity/ports.ts';
import type { ActivityJson } from '../../app/ports.ts';
import { actionsBesideTask, actionsOfState, awaitsPerformer, type History } from '../../domain/history.ts';
import { boundedReads, type Turns } from '../lists/bounded-reads.ts';
import { isReadableTo } from '../projects/readable.ts';
import { isReadableEntry } from './readable-entries.ts';
import { activityJson, displayName, joinUser, joinUsers, taskJson } from '../task-json.ts';

const newestFirst: Keyset = { direction: 'DESC', columns: { id: { sql: 'entry.seq', type: 'bigint' } } };

/** SQL for why a task has its assignee, as JSON text. `entry` is the entry of the assignment, if there is one that the reader may read. */
const explanationJson = `(
    SELECT to_json(shown)::text FROM (
      SELECT task.id AS task_id,
        CASE WHEN task.assignee_id IS NOT NULL THEN json_build_object('id', task.assignee_id, 'name', ${displayName('assignee')}) END AS assignee,
        ${isoMicros('entry.created_at')} AS assigned_at,
        CASE WHEN entry.actor_id IS NOT NULL THEN json_build_object('id', entry.actor_id, 'name', ${displayName('actor')}) END AS actor,
        entry.reason, entry.why, (entry.choice -> 'performers')::integer AS performers,
        (
          SELECT json_agg(json_build_object('id', chosen.id, 'name', ${displayName('candidate')}, 'open_tasks', chosen.open_tasks) ORDER BY chosen.place)
          FROM ROWS FROM (jsonb_to_recordset(entry.choice -> 'candidates') AS (id uuid, open_tasks integer))
            WITH ORDINALITY AS chosen (id, open_tasks, place) ${joinUser('candidate', 'chosen.id')}
        ) AS candidates
    ) AS shown
  )`;

const explainAssignment = `
  SELECT ${explanationJson} AS json FROM tasks task
  LEFT JOIN LATERAL (
    SELECT * FROM task_activity WHERE task_id = task.id AND action = 'assigned' AND task.assignee_id IS NOT NULL ORDER BY seq DESC LIMIT 1
  ) entry ON ${isReadableEntry('entry', '$2')}
  ${joinUser('assignee', 'task.assignee_id')} ${joinUser('actor', 'entry.actor_id')}
  WHERE task.id = $1 AND task.deleted_at IS NULL AND ${isReadableTo('task', '$2')}`;

const actions = (names: readonly string[]) => names.map((name) => `'${name}'`).join(', ');

/**
 * One pass over the entries of the task: the log of a task is short, and the index has them together. The reader may read the project of today and that of
 * then: a task that was moved out of a project does not take the past in that project along. The entries of a creation have the time of its last event,
 * a few microseconds after `created_at`, but the task existed from then on.
 */
const readHistory = `
  WITH entry AS MATERIALIZED (
    SELECT * FROM task_activity WHERE task_id = $1 AND action NOT IN (${actions(actionsBesideTask)})
  ), asked AS MATERIALIZED (
    SELECT greatest($2::timestamptz, (SELECT min(created_at) FROM entry)) AS at FROM tasks WHERE id = $1 AND created_at <= $2
  ), past AS (
    SELECT asked.at, count(DISTINCT created_at)::integer AS version, max(created_at) AS updated_at,
      coalesce((array_agg(action ORDER BY seq DESC) FILTER (WHERE action IN ('deleted', 'restored')))[1] = 'deleted', false) AS is_deleted
    FROM asked JOIN entry ON entry.created_at <= asked.at GROUP BY asked.at
  )
  SELECT ${taskJson('task', 'creator', 'assignee')}::json AS now, past.version, ${isoMicros('past.updated_at')} AS "updatedAt",
    (
      SELECT json_build_object('action', action, 'actor_id', actor_id, 'reason', reason) FROM entry
      WHERE created_at <= past.at AND (action IN (${actions(actionsOfState)}) OR field = '${awaitsPerformer}') ORDER BY seq DESC LIMIT 1
    ) AS last,
    (
      SELECT to_value #>> '{}' FROM entry WHERE created_at <= past.at AND field = 'assignee_id' ORDER BY seq DESC LIMIT 1
    ) AS "assigneeId",
    (
      SELECT json_object_agg(field, from_value) FROM (
        SELECT DISTINCT ON (field) field, from_value FROM entry WHERE created_at > past.at AND action = 'changed' ORDER BY field, seq
      ) AS undone
    ) AS before
  FROM tasks task ${joinUsers('task')} CROSS JOIN past
  CROSS JOIN LATERAL (
    SELECT CASE WHEN count(*) = 0 THEN task.project_id ELSE (array_agg(from_value #>> '{}' ORDER BY seq))[1]::uuid END AS project_id
    FROM entry WHERE created_at > past.at AND action = 'changed' AND field = 'project_id'
  ) AS place
  WHERE task.id = $1 AND task.deleted_at IS NULL AND NOT past.is_deleted
    AND ${isReadableTo('task', '$3')} AND ${isReadableTo('place', '$3')}`;

const readPerson = `
  SELECT given.id, ${displayName('person')} AS name FROM (SELECT $1::uuid AS id) AS given ${joinUser('person', 'given.id')}`;

type HistoryRow = Omit<History, 'before'> & { now: ShownTask; before: History['before'] | null };

/** The PostgreSQL reads of the activity log. Lists take turns. */
export function activityReads(db: Database, inTurn: Turns): ActivityReads {
  const bounded = boundedReads(db, inTurn);
  return {
    async listAll(reader, place) {
      const { condition, orderAndLimit, values } = keyset(newestFirst, place, 2);
      const text = `
        SELECT entry.seq AS id, ${activityJson('entry', 'actor')} AS json
        FROM task_activity entry JOIN tasks task ON task.id = entry.task_id AND task.deleted_at IS NULL ${joinUser('actor', 'entry.actor_id')}
        WHERE ${isReadableTo('task', '$1')} AND ${isReadableEntry('entry', '$1')} AND ${condition} ${orderAndLimit}`;
      const rows = await bounded(
        async (tx) => await query<{ id: string; json: ActivityJson }>(tx, text, [reader, ...values]),
      );
      const { items, next } = pageOf(rows, newestFirst, place.limit);
      return { items: items.map(({ json }) => json), next };
    },

    explainAssignment: async (taskId, reader) =>
      (await query<{ json: ExplanationJson }>(db.pool, explainAssignment, [taskId, reader]))[0]?.json,

    async readHistory({ taskId, reader, at }) {
      const [row] = await query<HistoryRow>(db.pool, readHistory, [taskId, at, reader]);
      if (row === undefined) return undefined;
      const { now, before, ...history } = row;
      return { now, history: { ...history, before: before ?? {} } };
    },

    async readPerson(id) {
      return onlyRow(await query<{ id: string; name: string }>(db.pool, readPerson, [id]));
    },
  };
}
