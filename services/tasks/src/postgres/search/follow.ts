import {
  isoMicros,
  query,
  settledNumbers,
  type NumberedTables,
  type Database,
  type Queryable,
  type Settled,
  type Tx,
} from '@taskwire/postgres';

/** Tasks per statement: about 50 ms of work. */
const batch = 500;

/** The last number that a sequence has given out. A sequence that was never used also has the value 1. */
const lastNumber = (sequence: string): string =>
  `(SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM ${sequence})`;

/**
 * When the search was up to date: every task and comment whose last change was committed by then is in it. If no number was given out after the last
 * indexed one, this is the time of the statement, which began before it read the number. So an idle follower need not write the time.
 */
export const readAsOf = {
  name: 'tasks.read_search_time',
  text: `
  SELECT ${isoMicros('as_of')} AS "asOf", extract(epoch FROM clock_timestamp() - as_of)::float8 AS "lagSeconds", "areTasksIdle", "areCommentsIdle"
  FROM (
    SELECT "areTasksIdle", "areCommentsIdle",
      least(CASE WHEN "areTasksIdle" THEN now ELSE as_of END, CASE WHEN "areCommentsIdle" THEN now ELSE comments_as_of END) AS as_of
    FROM (
      SELECT as_of, comments_as_of, change_no = ${lastNumber('task_changes')} AS "areTasksIdle",
        comment_change_no = ${lastNumber('comment_changes')} AS "areCommentsIdle", statement_timestamp() AS now
      FROM task_search_progress
    ) AS progress
  ) AS progress`,
};

/** How current the search is. */
export type Currency = { asOf: string; lagSeconds: number; areTasksIdle: boolean; areCommentsIdle: boolean };

export async function readCurrency(db: Queryable): Promise<Currency> {
  const [row] = await query<Currency>(db, readAsOf);
  if (row === undefined) throw new Error('task_search_progress has no row');
  return row;
}

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

/** Indexes the comments of the next changes in the same way. A deleted comment has no row here: it was deleted with the comment. */
const indexComments = {
  name: 'tasks.index_comments',
  text: `
  WITH changed AS MATERIALIZED (
    SELECT id, task_id, body, change_no FROM task_comments
    WHERE change_no > $1 AND change_no <= $2 ORDER BY change_no LIMIT ${batch} FOR KEY SHARE
  ), stored AS (
    INSERT INTO comment_search AS held (comment_id, task_id, document)
    SELECT id, task_id, setweight(to_tsvector('task_text', body), 'C') FROM changed
    ON CONFLICT (comment_id) DO UPDATE SET document = excluded.document WHERE held.document IS DISTINCT FROM excluded.document
  )
  SELECT count(*)::integer AS count, max(change_no) AS last FROM changed`,
};

/** A source that the search follows: the changes of a table, and the progress in two columns of task_search_progress. */
type Source = {
  numbered: NumberedTables;
  index: { name: string; text: string };
  lock: { name: string; text: string };
  save: { name: string; text: string };
  isIdle: (currency: Currency) => boolean;
};

function sourceOf(
  name: 'tasks' | 'comments',
  columns: { number: string; time: string },
  source: Pick<Source, 'numbered' | 'index' | 'isIdle'>,
): Source {
  const { number, time } = columns;
  return {
    ...source,
    lock: {
      name: `tasks.lock_search_progress_of_${name}`,
      text: `SELECT ${number} AS "changeNo" FROM task_search_progress FOR UPDATE SKIP LOCKED`,
    },
    save: {
      name: `tasks.save_search_progress_of_${name}`,
      text: `UPDATE task_search_progress SET ${number} = $1, ${time} = greatest(${time}, $2::timestamptz)`,
    },
  };
}

const sources = [
  sourceOf(
    'tasks',
    { number: 'change_no', time: 'as_of' },
    {
      numbered: { tables: ['tasks'], sequence: 'task_changes' },
      index: indexChanges,
      isIdle: ({ areTasksIdle }) => areTasksIdle,
    },
  ),
  sourceOf(
    'comments',
    { number: 'comment_change_no', time: 'comments_as_of' },
    {
      numbered: { tables: ['task_comments'], sequence: 'comment_changes' },
      index: indexComments,
      isIdle: ({ areCommentsIdle }) => areCommentsIdle,
    },
  ),
];

/** The statements of the follower, for `statements.sql`. */
export const searchStatements = [readAsOf, ...sources.flatMap(({ lock, index, save }) => [lock, index, save])];

/**
 * Creates the follower, which keeps the search up to date with the changes of tasks and comments. A round indexes one batch of each. One process does it
 * at a time; the others find it locked. @returns whether there is more to do.
 */
export function followingChanges(db: Database): () => Promise<'more' | 'idle'> {
  const followers = sources.map((source) => ({ source, follow: following(db, source) }));
  return async () => {
    const currency = await readCurrency(db.pool);
    const progress: ('more' | 'idle')[] = [];
    for (const { source, follow } of followers) progress.push(await follow(source.isIdle(currency)));
    return progress.includes('more') ? 'more' : 'idle';
  };
}

/** Indexes one batch of a source. `isIdle`: every number is indexed. */
function following(db: Database, source: Source): (isIdle: boolean) => Promise<'more' | 'idle'> {
  const settled = settledNumbers(db, source.numbered);
  /** The numbers that this process knows to be settled and has not indexed completely. */
  let target: Settled | undefined;

  async function index(tx: Tx, upTo: Settled): Promise<'more' | 'idle'> {
    const [progress] = await query<{ changeNo: string }>(tx, source.lock);
    if (progress === undefined || upTo.epoch !== db.sourceEpoch().epoch) return 'idle';
    const from = Number(progress.changeNo);
    const values = [from, upTo.number];
    const [indexed] = await query<{ count: number; last: string | null }>(tx, { ...source.index, values });
    const isComplete = indexed === undefined || indexed.count < batch;
    const reached = isComplete ? Math.max(from, upTo.number) : Number(indexed.last);
    await query(tx, { ...source.save, values: [reached, isComplete ? upTo.asOf : null] });
    return isComplete ? 'idle' : 'more';
  }

  return async (isIdle) => {
    // a promoted standby may have given out fewer numbers
    if (target?.epoch !== db.sourceEpoch().epoch) target = undefined;
    if (target === undefined && isIdle) return 'idle';
    target ??= await settled();
    const upTo = target;
    if (upTo === undefined) return 'idle';
    const progress = await db.transaction(async (tx) => await index(tx, upTo));
    if (progress === 'idle') target = undefined;
    return progress;
  };
}
