/** SQL for the matches of a query: one row for the text of a task, and one for each comment, as (task_id, document). `query`: SQL of a tsquery. */
export function matchesSql(query: string): string {
  return `
    SELECT task_id, document FROM task_search WHERE document @@ (${query})
    UNION ALL
    SELECT task_id, document FROM comment_search WHERE document @@ (${query})`;
}

/**
 * SQL for a further column of `taskJson`: the latest comment that matches a query, or null if the text of the task does. A found task without either was
 * changed a moment ago.
 */
export function foundInComment(taskId: string, query: string): string {
  return `, (
      SELECT max(comment_id::text) FROM comment_search WHERE task_id = ${taskId} AND document @@ (${query})
        AND NOT EXISTS (SELECT FROM task_search own WHERE own.task_id = ${taskId} AND own.document @@ (${query}))
    ) AS found_in_comment`;
}
