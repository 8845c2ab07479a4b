import {
  isoMicros,
  query,
  settledNumbers,
  type Database,
  type Queryable,
  type Settled,
  type Tx,
} from '@taskwire/postgres';

/** Tasks per statement: about 50 ms of work. */
const batch = 500;

/** The last number that was given out. A sequence that was never used also has the value 1. */
const lastNumber = '(SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM task_changes)';

/**
 * When the search was up to date: every task whose last change was committed by then is in it. If no number was given out after the last one that is
 * indexed, this is the time of the statement, which began before it read the number; so a follower without work need not write the time.
 */
export const readAsOf = {
  name: 'tasks.read_search_time',
  text: `
  SELECT ${isoMicros('as_of')} AS "asOf", extract(epoch FROM clock_timestamp() - as_of)::float8 AS "lagSeconds", "isIdle" FROM (
    SELECT CASE WHEN change_no = ${lastNumber} THEN statement_timestamp() ELSE as_of END AS as_of, change_no = ${lastNumber} AS "isIdle"
    FROM task_search_progress
  ) AS progress`,
};

/** How current the search is. */
export type Currency = { asOf: string; lagSeconds: number; isIdle: boolean };

export async function readCurrency(db: Queryable): Promise<Currency> {
  const [row] = await query<Currency>(db, readAsOf);
  if (row === undefined) throw new Error('task_search_progress has no row');
  return row;
}

const lockProgress = {
  name: 'tasks.lock_search_progress',
  text: 'SELECT change_no AS "changeNo" FROM task_search_progress FOR UPDATE SKIP LOCKED',
};

/**
 * Indexes the tasks of the next changes, in the order of their numbers. A task that changes again gets a later number, and is found again. A row that
 * is already equal is left unchanged: most changes do not concern the texts. @returns the number of tasks, and the number of the last change.
 */
const indexChanges = {
  name: 'tasks.index_changes',
  text: `
  WITH changed AS MATERIALIZED (
    SELECT id, title, description, labels, project_id, deleted_at, change_no FROM tasks
    WHERE change_no > $1 AND change_no <= $2 ORDER BY change_no LIMIT ${batch}
  ), removed AS (
    DELETE FROM task_search WHERE task_id = ANY (ARRAY(SELECT id FROM changed WHERE deleted_at IS NOT NULL))
  ), stored AS (
    INSERT INTO task_search AS held (task_id, title, project_id, document)
    SELECT id, lower(unaccent(title)), project_id,
      setweight(to_tsvector('task_text', title), 'A')
        || setweight(to_tsvector('task_text', array_to_string(labels, ' ') || ' ' || description), 'B')
    FROM changed WHERE deleted_at IS NULL
    ON CONFLICT (task_id) DO UPDATE SET title = excluded.title, project_id = excluded.project_id, document = excluded.document
    WHERE (held.title, held.project_id, held.document) IS DISTINCT FROM (excluded.title, excluded.project_id, excluded.document)
  )
  SELECT count(*)::integer AS count, max(change_no) AS last FROM changed`,
};

const saveProgress = {
  name: 'tasks.save_search_progress',
  text: 'UPDATE task_search_progress SET change_no = $1, as_of = greatest(as_of, $2::timestamptz)',
};

/** The statements of the follower, for `statements.sql`. */
export const searchStatements = [readAsOf, lockProgress, indexChanges, saveProgress];

/**
 * Creates the follower, which keeps the search up to date with the changes of tasks. A round indexes one batch. One process does it at a time; the others
 * find it locked. @returns whether there is more to do.
 */
export function followingChanges(db: Database): () => Promise<'more' | 'idle'> {
  const settled = settledNumbers({ table: 'tasks', sequence: 'task_changes' });
  /** The numbers that this process knows to be settled and has not indexed completely. */
  let target: Settled | undefined;

  async function index(tx: Tx, upTo: Settled): Promise<'more' | 'idle'> {
    const [progress] = await query<{ changeNo: string }>(tx, lockProgress);
    if (progress === undefined) return 'idle';
    const from = Number(progress.changeNo);
    const values = [from, upTo.number];
    const [indexed] = await query<{ count: number; last: string | null }>(tx, { ...indexChanges, values });
    const isComplete = indexed === undefined || indexed.count < batch;
    const reached = isComplete ? Math.max(from, upTo.number) : Number(indexed.last);
    await query(tx, { ...saveProgress, values: [reached, isComplete ? upTo.asOf : null] });
    return isComplete ? 'idle' : 'more';
  }

  return async () => {
    if (target === undefined && (await readCurrency(db.pool)).isIdle) return 'idle';
    target ??= await settled(db.pool);
    const upTo = target;
    if (upTo === undefined) return 'idle';
    const progress = await db.transaction(async (tx) => await index(tx, upTo));
    if (progress === 'idle') target = undefined;
    return progress;
  };
}
