import { query, type Queryable } from '@taskwire/postgres';
import type { SuggestionJson } from '../../app/ports.ts';
import type { Reader } from '../../domain/projects/reader.ts';
import { isReadable } from '../projects/readable.ts';

const most = 10;
/** The maximum number of candidates to compare. A text that more titles contain is too short to prefer one of them. */
const candidates = 1_000;
/** Shorter texts have too few trigrams to be found within a title, so they must be its beginning. */
const shortestPart = 3;

/**
 * The tasks whose titles contain a text or are similar to it, the most similar first. Titles are compared in lower case, without accents.
 * Twice as many as are returned are looked up, since some may have been deleted or moved to another project a moment ago.
 */
const suggest = (reader: Reader) => {
  const isFound = reader === null ? 'true' : isReadable('search', '$2');
  const isShown = reader === null ? 'true' : isReadable('tasks', '$2');
  return `
  WITH given AS (SELECT lower(unaccent($1::text)) AS text), sought AS MATERIALIZED (
    SELECT text, CASE WHEN length(text) >= ${shortestPart} THEN '%' ELSE '' END || regexp_replace(text, '([\\\\%_])', '\\\\\\1', 'g') || '%' AS pattern
    FROM given
  ), found AS MATERIALIZED (
    (SELECT task_id, title FROM task_search search WHERE title LIKE (SELECT pattern FROM sought) AND ${isFound} LIMIT ${candidates})
    UNION
    (SELECT task_id, title FROM task_search search WHERE (SELECT text FROM sought) <% title AND ${isFound} LIMIT ${candidates})
  ), best AS MATERIALIZED (
    SELECT task_id, word_similarity(sought.text, title) AS part, similarity(sought.text, title) AS whole
    FROM found CROSS JOIN sought ORDER BY part DESC, whole DESC, task_id DESC LIMIT ${2 * most}
  )
  SELECT json_build_object('id', task.id, 'title', task.title, 'state', task.state)::text AS json
  FROM best CROSS JOIN LATERAL (SELECT * FROM tasks WHERE id = best.task_id AND deleted_at IS NULL AND ${isShown} LIMIT 1) AS task
  ORDER BY part DESC, whole DESC, task.id DESC LIMIT ${most}`;
};

export async function suggestTasks(db: Queryable, text: string, reader: Reader): Promise<SuggestionJson[]> {
  const rows = await query<{ json: SuggestionJson }>(db, suggest(reader), reader === null ? [text] : [text, reader]);
  return rows.map(({ json }) => json);
}
