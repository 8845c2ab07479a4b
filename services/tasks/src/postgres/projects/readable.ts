/**
 * A condition: whether a user may read a task. This is the only definition in SQL. Every statement that shows any part of a task to a user contains
 * it. `row` names a row with the `project_id` of a task; `reader` is an expression for the id of the user, see `Reader`. For a task outside of
 * projects the subquery does not run; otherwise it runs once for the statement.
 */
export function isReadable(row: string, reader: string): string {
  return `(${row}.project_id IS NULL OR ${isOneOf(`${row}.project_id`, reader)})`;
}

/** The same condition for a parameter that is null for a reader of every task. */
export function isReadableTo(row: string, reader: string): string {
  return `(${reader}::uuid IS NULL OR ${isReadable(row, `${reader}::uuid`)})`;
}

/** A condition: whether a user may read a project, for a parameter that is null for a reader of every project. */
export function isReadableProject(project: string, reader: string): string {
  return `(${reader}::uuid IS NULL OR ${isOneOf(`${project}.id`, `${reader}::uuid`)})`;
}

/** The same rule in the other direction: the members who may read a task, as an array; null if every user may. Managers and admins may read every task. */
export function readersOf(task: string): string {
  return `CASE WHEN ${task}.project_id IS NOT NULL THEN ARRAY(
      SELECT user_id FROM project_members WHERE project_id = ${task}.project_id
    ) END`;
}

/** Whether the user is a member of a project. */
function isOneOf(projectId: string, reader: string): string {
  return `${projectId} = ANY (ARRAY(SELECT project_id FROM project_members WHERE user_id = ${reader}))`;
}
