import { query, type Page, type Place, type Queryable } from '@taskwire/postgres';
import type { ListedTaskJson } from '../../app/ports.ts';
import { mostRelevant, type TaskList } from '../../app/task-list.ts';
import { foundInComment, matchesSql } from '../search/matches.ts';
import { textQuerySql } from '../search/text-query-sql.ts';
import { joinUsers, taskJson } from '../task-json.ts';
import { conditionsOf } from './conditions.ts';
import { moreColumns } from './page.ts';

/** A page of the best matches; positions are their ranks. Words in the title count most. */
export async function readByRelevance(
  db: Queryable,
  { filter: { text = [], ...filter }, ...list }: Omit<TaskList, 'order'>,
  { after, limit }: Place,
): Promise<Page<ListedTaskJson>> {
  const skipped = Number(after?.[0] ?? 0);
  const wanted = Math.min(limit, mostRelevant - skipped);
  // no page ends there, but a cursor is input
  if (wanted < 1) return { items: [], next: undefined };
  const { conditions, values } = conditionsOf({ ...list, filter });
  // excluded words do not affect the rank
  const words = text.map(({ all }) => ({ all, none: [] }));
  const parameter = (value: unknown) => `$${values.push(value)}`;
  const more = moreColumns({ ...list, filter }, parameter) + foundInComment('task.id', 'SELECT query FROM sought');
  const rows = await query<{ json: ListedTaskJson }>(db, {
    text: `
    WITH sought AS MATERIALIZED (SELECT ${textQuerySql(text, parameter)} AS query, ${textQuerySql(words, parameter)} AS words),
    found AS (
      SELECT task_id, max(ts_rank(document, (SELECT words FROM sought))) AS relevance
      FROM (${matchesSql('SELECT query FROM sought')}) AS matches GROUP BY task_id
    ), page AS MATERIALIZED (
      SELECT task.*, found.relevance
      FROM found
        -- a LIMIT forces look-ups: the number of matches is overestimated for most words, and a join would then read all tasks
        CROSS JOIN LATERAL (SELECT * FROM tasks WHERE tasks.id = found.task_id LIMIT 1) AS task
      WHERE ${conditions.join(' AND ')}
      ORDER BY relevance DESC, task.id DESC LIMIT ${parameter(wanted + 1)} OFFSET ${parameter(skipped)}
    )
    SELECT ${taskJson('task', 'creator', 'assignee', more)} AS json FROM page task ${joinUsers('task')} ORDER BY task.relevance DESC, task.id DESC`,
    values,
  });
  const isLast = rows.length <= wanted || skipped + wanted >= mostRelevant;
  return {
    items: rows.slice(0, wanted).map(({ json }) => json),
    next: isLast ? undefined : [String(skipped + wanted)],
  };
}
