/**
 * The WITH part that makes tasks follow their jobs. `changed` names the part that changed the jobs: its rows have `task_id` and `state`. `actor` and
 * `headers` are SQL expressions. The function `follow_jobs` (migration 0014) implements `domain/job-task.ts`, which a test compares with it. It is called
 * only for jobs with a task, after all jobs of the statement were changed, and so locked.
 *
 * PostgreSQL does not run a part that nothing reads: the statement must select `hasFollowed`.
 */
export function followJobsSql({
  changed,
  actor,
  headers,
}: {
  changed: string;
  actor: string;
  headers: string;
}): string {
  return `
  followed AS MATERIALIZED (
    SELECT follow_jobs(array_agg(task_id), array_agg(state), ${actor}, ${headers}) AS count
    FROM ${changed} WHERE task_id IS NOT NULL HAVING count(*) > 0
  )`;
}

/** Selects whether the statement has changed tasks. */
export const hasFollowed = 'EXISTS (SELECT FROM followed WHERE count > 0) AS has_followed';
