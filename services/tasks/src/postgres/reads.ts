import type { JsonText, schemas } from '@taskwire/contracts';
import { readEventJourneys, type EventJourney } from '@taskwire/outbox';
import { pageOf, query, type Database, type Keyset, type Page, type Place, type Tx } from '@taskwire/postgres';
import type { ActivityJson, ListedTaskJson, TaskEventJourney, TaskJson, TaskReads } from '../app/ports.ts';
import { latestFirst, type TaskList } from '../app/task-list.ts';
import { isReadableEntry } from './activity/readable-entries.ts';
import { boundedReads, type Turns } from './lists/bounded-reads.ts';
import { readLabels } from './lists/labels.ts';
import { readInManualOrder } from './lists/manual.ts';
import { keysetOf, pageStatement } from './lists/page.ts';
import { readByRelevance } from './lists/relevance.ts';
import { isUsual, readUsualList } from './lists/usual.ts';
import { isReadableTo, readersOf } from './projects/readable.ts';
import { readCurrency } from './search/follow.ts';
import { suggestTasks } from './search/suggest.ts';
import { requireWords } from './search/text-query-sql.ts';
import { statsColumn } from './links/stats.ts';
import { activityJson, joinUsers, joinUser, taskJson } from './task-json.ts';

/** The read queries on tasks. Lists take turns. */
export function taskReads(db: Database, inTurn: Turns): Omit<TaskReads, 'needReassignment'> {
  const bounded = boundedReads(db, inTurn);
  return {
    readTask: async (id, reader) => {
      const [row] = await query<{ json: TaskJson; version: number; is_deleted: boolean }>(db.pool, {
        ...readTask,
        values: [id, reader],
      });
      return row && { text: row.json, etag: row.version, isDeleted: row.is_deleted };
    },

    readTaskWithStats: async (id, reader) => {
      const [row] = await query<{ json: JsonText<typeof schemas.readTask>; is_deleted: boolean }>(
        db.pool,
        readTaskWithStats,
        [id, reader],
      );
      return row && { text: row.json, isDeleted: row.is_deleted };
    },

    async readInternalTasks(ids) {
      const rows = await query<InternalRow>(db.pool, { ...readInternalTasks, values: [ids] });
      const missing = ids.filter((id) => rows.every((row) => row.id !== id));
      const removed = missing.length === 0 ? [] : await query<{ id: string }>(db.pool, readRemoved, [missing]);
      return {
        found: rows.filter(({ is_deleted }) => !is_deleted).map(({ json, version }) => ({ text: json, etag: version })),
        deleted: [...rows.filter(({ is_deleted }) => is_deleted), ...removed].map(({ id }) => id),
      };
    },

    async listTasks(list, place) {
      if (isUsual(list)) return toPage(await readUsualList(db.pool, list, place), keysetOf(latestFirst), place.limit);
      return await bounded(async (tx) => {
        if (list.filter.text === undefined) return await readPage(tx, list, place);
        await requireWords(tx, list.filter.text);
        // read before the page, so that the page includes at least the changes up to this time
        const { asOf } = await readCurrency(tx);
        return { ...(await readPage(tx, list, place)), asOf };
      });
    },

    requireWords,

    listLabels: async (prefix, reader, place) =>
      await bounded(async (tx) => await readLabels(tx, { prefix, reader }, place)),
    suggestTasks: async (text, reader) => await bounded(async (tx) => await suggestTasks(tx, text, reader)),

    listActivity: async (taskId, reader, { after, limit }) => {
      const values = [taskId, after?.[0] ?? '0', limit + 1, reader];
      const rows = await query<Item<ActivityJson> | { json: null }>(db.pool, listActivity, values);
      return rows.length === 0 ? undefined : toPage(rows.filter(isEntry), oldestFirst, limit);
    },

    listJourneys: async (taskId, place) => {
      const comments = await query<{ id: string }>(db.pool, commentsOf, [taskId]);
      const [task] = await query<{ job_id: string | null }>(db.pool, 'SELECT job_id FROM tasks WHERE id = $1', [
        taskId,
      ]);
      const jobs = task === undefined || task.job_id === null ? [] : [task.job_id];
      const aggregates = [taskId, ...jobs, ...comments.map(({ id }) => id)];
      const { items, next } = await readEventJourneys(db.pool, aggregates, place);
      const page = { items: items.map(taskEventJourney), next };
      // the events of a task that has been removed are kept for a while
      return items.length > 0 || task !== undefined ? page : undefined;
    },
  };
}

/** The activity log also names the comments that were deleted. */
const commentsOf = `
  SELECT DISTINCT coalesce(to_value, from_value) #>> '{}' AS id FROM task_activity WHERE task_id = $1 AND field = 'comment'`;

function taskEventJourney({ aggregate_id: aggregateId, ...event }: EventJourney): TaskEventJourney {
  const isOf = (subject: string) => event.event.startsWith(`tasks.${subject}.`);
  return { ...event, comment_id: isOf('comment') ? aggregateId : null, job_id: isOf('job') ? aggregateId : null };
}

type Item<J> = { json: J; id: string };

const oldestFirst: Keyset = { direction: 'ASC', columns: { id: { sql: 'entry.seq', type: 'bigint' } } };

async function readPage(tx: Tx, { order, ...list }: TaskList, place: Place): Promise<Page<ListedTaskJson>> {
  if (order.by === 'relevance') return await readByRelevance(tx, list, place);
  if (order.by === 'manual') return await readInManualOrder(tx, { ...list, order }, place);
  const rows = await query<Item<ListedTaskJson>>(tx, pageStatement({ ...list, order }, place));
  return toPage(rows, keysetOf(order), place.limit);
}

function toPage<J>(rows: readonly Item<J>[], order: Keyset, limit: number): Page<J> {
  const { items, next } = pageOf(rows, order, limit);
  return { items: items.map(({ json }) => json), next };
}

type InternalRow = { id: string; version: number; is_deleted: boolean; json: JsonText<typeof schemas.internalTask> };

/**
 * Tasks with the members of their projects; null if every user may read the task. OFFSET 0 makes PostgreSQL probe the index for each task, and the subquery hides the
 * number of tasks from the planner, so that it keeps one plan.
 */
export const readInternalTasks = {
  name: 'tasks.read_internal_tasks',
  text: `
  SELECT given.id, read.version, read.is_deleted, read.json
  FROM (SELECT DISTINCT id FROM unnest((SELECT $1::uuid[])) AS id) AS given
  CROSS JOIN LATERAL (
    SELECT task.version, task.deleted_at IS NOT NULL AS is_deleted, ${taskJson('task', 'creator', 'assignee', `, ${readersOf('task')} AS readers`)} AS json
    FROM tasks task ${joinUsers('task')}
    WHERE task.id = given.id OFFSET 0
  ) AS read`,
};

const readRemoved = 'SELECT DISTINCT task_id AS id FROM task_tombstones WHERE task_id = ANY($1::uuid[])';

export const readTask = {
  name: 'tasks.read_task',
  text: `
  SELECT task.version, task.deleted_at IS NOT NULL AS is_deleted, ${taskJson('task', 'creator', 'assignee')} AS json
  FROM tasks task ${joinUsers('task')}
  WHERE task.id = $1 AND ${isReadableTo('task', '$2')}`,
};

const readTaskWithStats = `
  SELECT task.deleted_at IS NOT NULL AS is_deleted, ${taskJson('task', 'creator', 'assignee', statsColumn)} AS json
  FROM tasks task ${joinUsers('task')}
  WHERE task.id = $1 AND ${isReadableTo('task', '$2')}`;

/** Returns one row without an entry when the task's page is empty, and no rows when the task doesn't exist or is not readable. */
const listActivity = `
  SELECT entry.seq AS id, CASE WHEN entry.seq IS NOT NULL THEN ${activityJson('entry', 'actor')} END AS json
  FROM tasks task
  LEFT JOIN LATERAL (
    SELECT * FROM task_activity logged WHERE task_id = task.id AND seq > $2 AND ${isReadableEntry('logged', '$4')} ORDER BY seq LIMIT $3
  ) entry ON true
  ${joinUser('actor', 'entry.actor_id')}
  WHERE task.id = $1 AND task.deleted_at IS NULL AND ${isReadableTo('task', '$4')}
  ORDER BY entry.seq`;

function isEntry(row: Item<ActivityJson> | { json: null }): row is Item<ActivityJson> {
  return row.json !== null;
}
