import { isoMicros, query, type Queryable } from '@taskwire/postgres';
import type { TaskCache } from '../app/find-task.ts';
import type { TaskLookup, TaskNow } from '../app/ports.ts';

type Row = { title: string | null; creator_id: string | null; assignee_id: string | null; is_deleted: boolean };

export const readFresh = {
  name: 'task_cache.read_fresh',
  text: `
    SELECT title, creator_id, assignee_id, is_deleted FROM task_cache
    WHERE id = $1 AND fresh_as_of >= $2::timestamptz AND (is_deleted OR progress_version = version)`,
};

/**
 * Returns the time up to which a response proves that the cache is fresh, limited to the current time. An event dated in the future must not keep
 * later events from querying Tasks.
 */
function claimed(parameter: string): string {
  return `least(${parameter}::timestamptz, clock_timestamp())`;
}

// The fetched (epoch, version) is compared here rather than in the service, because two workers may have fetched concurrently, and a restored Tasks
// reuses versions. A state from before a deletion doesn't bring the task back; a state from after the deletion (a restored task), or of a newer
// epoch, does.
export const storeFetched = {
  name: 'task_cache.store_fetched',
  text: `
    INSERT INTO task_cache (id, title, creator_id, version, is_deleted, fresh_as_of, state, assignee_id, progress_version, source_epoch,
      due_at, due_version)
    VALUES ($1, $2, $3, $4, false, greatest($5::timestamptz, ${claimed('$6')}), $7, $8, $4, $9, $10, $4)
    ON CONFLICT (id) DO UPDATE SET
      title = excluded.title,
      creator_id = excluded.creator_id,
      version = excluded.version,
      is_deleted = false,
      state = excluded.state,
      assignee_id = excluded.assignee_id,
      progress_version = excluded.progress_version,
      source_epoch = excluded.source_epoch,
      due_at = excluded.due_at,
      due_version = excluded.due_version,
      fresh_as_of = greatest(task_cache.fresh_as_of, excluded.fresh_as_of),
      fetched_at = clock_timestamp()
    WHERE task_cache.source_epoch < excluded.source_epoch
      OR (task_cache.source_epoch = excluded.source_epoch
        AND (task_cache.version < excluded.version OR (task_cache.version = excluded.version AND NOT task_cache.is_deleted))
        AND (NOT task_cache.is_deleted OR task_cache.fresh_as_of < $5::timestamptz))`,
};

const storeTombstone = `
  INSERT INTO task_cache (id, version, is_deleted, fresh_as_of) VALUES ($1, 0, true, ${claimed('$2')})
  ON CONFLICT (id) DO UPDATE SET is_deleted = true, fresh_as_of = excluded.fresh_as_of, fetched_at = clock_timestamp()
  WHERE task_cache.fresh_as_of < excluded.fresh_as_of`;

const readAny = 'SELECT title, creator_id, assignee_id, is_deleted FROM task_cache WHERE id = $1';

type LastRow = {
  title: string | null;
  isDeleted: boolean;
  state: string | null;
  assigneeId: string | null;
  dueAt: string | null;
  isDueAtKnown: boolean;
  ageMs: number;
};

export const readLast = {
  name: 'task_cache.read_last',
  text: `
    SELECT title, is_deleted AS "isDeleted", CASE WHEN progress_version = version THEN state END AS state, assignee_id AS "assigneeId",
      ${isoMicros('due_at')} AS "dueAt", due_version IS NOT DISTINCT FROM version AS "isDueAtKnown",
      (extract(epoch FROM clock_timestamp() - fetched_at) * 1000)::float8 AS "ageMs"
    FROM task_cache WHERE id = $1`,
};

/** The PostgreSQL cache of tasks. */
export function taskCache(db: Queryable): TaskCache {
  return {
    async read(id, asOf) {
      const [row] = await query<Row>(db, { ...readFresh, values: [id, asOf] });
      return row && toLookup(id, row);
    },
    async store(task, asOf) {
      const { id, title, creatorId, version, updatedAt, state, assigneeId, dueAt, sourceEpoch } = task;
      const values = [id, title, creatorId, version, updatedAt, asOf, state, assigneeId, sourceEpoch, dueAt];
      await query(db, { ...storeFetched, values });
    },
    async storeDeleted(id, asOf) {
      await query(db, storeTombstone, [id, asOf]);
      const [row] = await query<Row>(db, readAny, [id]);
      return { kind: 'deleted', id, title: row?.title ?? null, creatorId: row?.creator_id ?? null };
    },
    async readLast(id) {
      const [row] = await query<LastRow>(db, { ...readLast, values: [id] });
      const now = row && toNow(row);
      return row && now && { now, ageMs: row.ageMs };
    },
  };
}

function toLookup(id: string, row: Row): TaskLookup {
  const { title, creator_id: creatorId, assignee_id: assigneeId, is_deleted: isDeleted } = row;
  return isDeleted || title === null || creatorId === null
    ? { kind: 'deleted', id, title, creatorId }
    : { kind: 'task', id, title, creatorId, assigneeId };
}

function toNow({ title, isDeleted, state, assigneeId, dueAt, isDueAtKnown }: LastRow): TaskNow | undefined {
  if (isDeleted) return { kind: 'deleted', title };
  if (title === null || state === null) return undefined;
  return { kind: 'task', title, state, assigneeId, dueAt: isDueAtKnown ? dueAt : undefined };
}
