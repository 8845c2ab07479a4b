import { hash } from 'node:crypto';
import type pg from 'pg';

/** Words of titles and descriptions; low numbers are frequent. */
const vocabulary = 20_000;
const labels = 500;
/** Rows of one INSERT: a few seconds of work. */
const batch = 100_000;

type Frequency = 'frequent' | 'usual' | 'rare';
const firstOf: Readonly<Record<Frequency, number>> = { frequent: 0, usual: 0.05, rare: 0.8 };

/** A random word: `frequent` is the most frequent one, `rare` is in a few tasks of ten thousand. */
export function wordOf(frequency: Frequency): string {
  return hash('md5', String(numberOf(frequency, vocabulary))).slice(0, 8);
}

export function labelOf(frequency: Frequency): string {
  return `label ${numberOf(frequency, labels)}`;
}

function numberOf(frequency: Frequency, of: number): number {
  if (frequency === 'frequent') return 0;
  const first = firstOf[frequency];
  return Math.floor(of * (first + Math.random() * (1 - first)));
}

/** SQL for `wordOf`: the index of a word is a random number to the third power, so a few words make up most of a text. */
const words = (count: number) => `(
  SELECT string_agg(left(md5(floor(${vocabulary} * random() ^ 3)::integer::text), 8), ' ') FROM generate_series(1, ${count}) WHERE n > 0)`;

/** 90 % of the tasks have ended, 20 % have a due date, and half have a label. Labels and texts for the search as the triggers and the follower add them. */
const insertTasks = `
  WITH added AS (
    INSERT INTO tasks (title, description, state, priority, due_at, labels, creator_id, assignee_id, created_at, updated_at, change_no)
    SELECT ${words(4)}, ${words(8)}, CASE WHEN n % 10 = 0 THEN 'assigned' ELSE 'completed' END, (ARRAY['low', 'normal', 'high', 'urgent'])[1 + n % 4],
      CASE WHEN n % 5 = 0 THEN now() + (n % 1000 - 500) * interval '1 hour' END,
      CASE WHEN n % 2 = 0 THEN ARRAY['label ' || floor(${labels} * random() ^ 3)::integer] ELSE '{}' END,
      ($3::uuid[])[1 + n % cardinality($3::uuid[])], ($3::uuid[])[1 + n / 7 % cardinality($3::uuid[])],
      now() - (10000000 - n) * interval '1 second', now() - (n::bigint * 7919 % 10000000) * interval '1 second', nextval('task_changes')
    FROM generate_series($1::integer, $2::integer) AS n
    RETURNING id, title, description, labels
  ), labelled AS (
    INSERT INTO task_labels (label, task_id) SELECT unnest(labels), id FROM added
  )
  INSERT INTO task_search (task_id, title, document)
  SELECT id, title, setweight(to_tsvector('task_text', title), 'A') || setweight(to_tsvector('task_text', description), 'B') FROM added`;

/** Statements that run at the same time. */
const writers = 2;

/** Adds tasks with their labels and their texts for the search, and analyzes the tables. The pool needs two connections. */
export async function fillTasks(
  pool: pg.Pool,
  o: { from: number; to: number; people: readonly string[] },
): Promise<void> {
  // the follower has nothing to do during the INSERTs
  await pool.query('UPDATE task_search_progress SET change_no = $1', [Number.MAX_SAFE_INTEGER]);
  await pool.query('ALTER TABLE tasks DISABLE TRIGGER USER');
  // an index that is built from all rows takes a fraction of the time
  await pool.query('DROP INDEX task_search_document; DROP INDEX task_search_title');
  let from = o.from;
  const write = async (): Promise<void> => {
    while (from < o.to) {
      const first = from;
      from = Math.min(o.to, from + batch);
      await pool.query(insertTasks, [first + 1, from, o.people]);
    }
  };
  await Promise.all(Array.from({ length: writers }, write));
  await pool.query('ALTER TABLE tasks ENABLE TRIGGER USER');
  const build = "SET maintenance_work_mem = '1GB'; CREATE INDEX";
  await pool.query(`${build} task_search_document ON task_search USING gin (document) WITH (fastupdate = off)`);
  await pool.query(`${build} task_search_title ON task_search USING gin (title gin_trgm_ops) WITH (fastupdate = off)`);
  await pool.query('UPDATE task_search_progress SET change_no = (SELECT max(change_no) FROM tasks)');
  for (const table of ['tasks', 'task_labels', 'task_search']) await pool.query(`VACUUM ANALYZE ${table}`);
}
