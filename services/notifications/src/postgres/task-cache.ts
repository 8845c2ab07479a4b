import { gather, isoMicros, query, type Queryable } from '@taskwire/postgres';
import type { FetchedTask, TaskCache } from '../app/find-task.ts';
import type { TaskLookup, TaskNow } from '../app/ports.ts';

type Row = {
  title: string | null;
  creator_id: string | null;
  assignee_id: string | null;
  is_deleted: boolean | null;
  readers: string[] | null;
};

// OFFSET 0, here and below, makes PostgreSQL probe the index for each task, whatever the sizes of the batch and of the table are. The subqueries hide
// the number of tasks from the planner: a plan for the actual number would seem cheaper than the generic plan, and would be made for each execution.
export const readFresh = {
  name: 'task_cache.read_fresh',
  text: `
    SELECT task.title, task.creator_id, task.assignee_id, task.is_deleted, task.readers
    FROM unnest((SELECT $1::uuid[]), (SELECT $2::timestamptz[])) WITH ORDINALITY AS given (id, as_of, place)
    LEFT JOIN LATERAL (
      SELECT title, creator_id, assignee_id, is_deleted, readers FROM task_cache
      WHERE id = given.id AND fresh_as_of >= given.as_of AND (is_deleted OR (progress_version = version AND readers_version = version)) OFFSET 0
    ) AS task ON true
    ORDER BY given.place`,
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
// epoch, does. The rows are locked in the order of their ids, so that concurrent statements don't deadlock.
export const storeFetched = {
  name: 'task_cache.store_fetched',
  text: `
    WITH given AS (
      SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::integer[], $5::timestamptz[], $6::timestamptz[], $7::text[], $8::uuid[],
        $9::integer[], $10::timestamptz[], $11::text[])
        AS given (id, title, creator_id, version, updated_at, as_of, state, assignee_id, source_epoch, due_at, readers)
    )
    INSERT INTO task_cache (id, title, creator_id, version, is_deleted, fresh_as_of, state, assignee_id, progress_version, source_epoch,
      due_at, due_version, readers, readers_version)
    SELECT id, title, creator_id, version, false, greatest(updated_at, ${claimed('as_of')}), state, assignee_id, version, source_epoch, due_at, version,
      readers::uuid[], version
    FROM given ORDER BY id
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
      readers = excluded.readers,
      readers_version = excluded.readers_version,
      fresh_as_of = greatest(task_cache.fresh_as_of, excluded.fresh_as_of),
      fetched_at = clock_timestamp()
    WHERE task_cache.source_epoch < excluded.source_epoch
      OR (task_cache.source_epoch = excluded.source_epoch
        AND (task_cache.version < excluded.version OR (task_cache.version = excluded.version AND NOT task_cache.is_deleted))
        AND (NOT task_cache.is_deleted OR task_cache.fresh_as_of < (SELECT updated_at FROM given WHERE given.id = excluded.id)))`,
};

const storeTombstone = `
  INSERT INTO task_cache (id, version, is_deleted, fresh_as_of) VALUES ($1, 0, true, ${claimed('$2')})
  ON CONFLICT (id) DO UPDATE SET is_deleted = true, fresh_as_of = excluded.fresh_as_of, fetched_at = clock_timestamp()
  WHERE task_cache.fresh_as_of < excluded.fresh_as_of`;

const readAny = 'SELECT title, creator_id, assignee_id, is_deleted, readers FROM task_cache WHERE id = $1';

type LastRow = {
  title: string | null;
  /** Null if the task is not in the cache. */
  isDeleted: boolean | null;
  state: string | null;
  assigneeId: string | null;
  dueAt: string | null;
  isDueAtKnown: boolean;
  readers: string[] | null;
  ageMs: number;
};

export const readLast = {
  name: 'task_cache.read_last',
  text: `
    SELECT task.title, task."isDeleted", task.state, task."assigneeId", task."dueAt", task."isDueAtKnown", task.readers, task."ageMs"
    FROM unnest((SELECT $1::uuid[])) WITH ORDINALITY AS given (id, place)
    LEFT JOIN LATERAL (
      SELECT title, is_deleted AS "isDeleted", CASE WHEN progress_version = version AND coalesce(readers_version, version) = version THEN state END AS state,
        assignee_id AS "assigneeId",
        ${isoMicros('due_at')} AS "dueAt", due_version IS NOT DISTINCT FROM version AS "isDueAtKnown", readers,
        (extract(epoch FROM clock_timestamp() - fetched_at) * 1000)::float8 AS "ageMs"
      FROM task_cache WHERE id = given.id OFFSET 0
    ) AS task ON true
    ORDER BY given.place`,
};

type ToRead = { id: string; asOf: string };
type ToStore = { task: FetchedTask; asOf: string };

/** The PostgreSQL cache of tasks. Concurrent calls of `read`, of `store` and of `readLast` share statements. */
export function taskCache(db: Queryable): TaskCache {
  const read = gatherAll<ToRead, Row>('read cached tasks', async (given) => {
    const values = [given.map(({ id }) => id), given.map(({ asOf }) => asOf)];
    return await query<Row>(db, { ...readFresh, values });
  });
  const readLatest = gatherAll<string, LastRow>(
    'read last known tasks',
    async (ids) => await query<LastRow>(db, { ...readLast, values: [ids] }),
  );
  const store = gather<ToStore, true>({
    name: 'store fetched tasks',
    // an INSERT cannot update a row twice
    async together(given) {
      const first = new Map(given.toReversed().map((one) => [one.task.id, one]));
      await storeAll([...first.values()]);
      return given.map((one) => first.get(one.task.id) === one || undefined);
    },
    async alone(one) {
      await storeAll([one]);
      return true;
    },
  });

  async function storeAll(given: readonly ToStore[]): Promise<void> {
    const tasks = given.map(({ task }) => task);
    const values = [
      tasks.map(({ id }) => id),
      tasks.map(({ title }) => title),
      tasks.map(({ creatorId }) => creatorId),
      tasks.map(({ version }) => version),
      tasks.map(({ updatedAt }) => updatedAt),
      given.map(({ asOf }) => asOf),
      tasks.map(({ state }) => state),
      tasks.map(({ assigneeId }) => assigneeId),
      tasks.map(({ sourceEpoch }) => sourceEpoch),
      tasks.map(({ dueAt }) => dueAt),
      // an array of arrays would need lists of equal lengths
      tasks.map(({ readers }) => readers && `{${readers.join()}}`),
    ];
    await query(db, { ...storeFetched, values });
  }

  return {
    async read(id, asOf) {
      const row = await read({ id, asOf });
      return row.is_deleted === null ? undefined : toLookup(id, row);
    },
    async store(task, asOf) {
      await store({ task, asOf });
    },
    async storeDeleted(id, asOf) {
      await query(db, storeTombstone, [id, asOf]);
      const [row] = await query<Row>(db, readAny, [id]);
      return toLookup(id, {
        ...{ title: null, creator_id: null, assignee_id: null, readers: null },
        ...row,
        is_deleted: true,
      });
    },
    async readLast(id) {
      const row = await readLatest(id);
      const now = row.isDeleted === null ? undefined : toNow(row);
      return now && { now, ageMs: row.ageMs };
    },
  };
}

/** `read` returns one row per item, in the same order, of nulls for an item that is not found. */
function gatherAll<I, R extends object>(
  name: string,
  read: (items: readonly I[]) => Promise<R[]>,
): (item: I) => Promise<R> {
  return gather<I, R>({
    name,
    together: read,
    async alone(item) {
      const [row] = await read([item]);
      if (row === undefined) throw new Error(`${name}: no row for an item`);
      return row;
    },
  });
}

function toLookup(id: string, row: Row): TaskLookup {
  const { title, creator_id: creatorId, assignee_id: assigneeId, is_deleted: isDeleted, readers } = row;
  return isDeleted === true || title === null || creatorId === null
    ? { kind: 'deleted', id, title, creatorId, readers }
    : { kind: 'task', id, title, creatorId, assigneeId, readers };
}

function toNow({ title, isDeleted, state, assigneeId, dueAt, isDueAtKnown, readers }: LastRow): TaskNow | undefined {
  if (isDeleted === true) return { kind: 'deleted', title, readers };
  if (title === null || state === null) return undefined;
  return { kind: 'task', title, state, assigneeId, dueAt: isDueAtKnown ? dueAt : undefined, readers };
}
