import { isoMicros } from '@taskwire/postgres';

/** The displayed name of a user: a placeholder for a deleted user, empty until the directory knows the user. */
function displayName(user: string): string {
  return `CASE WHEN ${user}.is_deleted THEN 'Deleted user' ELSE coalesce(${user}.name, '') END`;
}

/**
 * SQL for a task as the API returns it, as compact JSON. The database builds the text and the service passes it on,
 * without parsing and serialising values in between. `task` names a row of tasks; `creator` and `assignee` name two
 * outer-joined rows of directory_users.
 */
export function taskJson(task: string, creator: string, assignee: string): string {
  return `(
    SELECT to_json(shown)::text FROM (
      SELECT ${task}.id, ${task}.title, ${task}.description, ${task}.state, ${task}.priority,
        ${isoMicros(`${task}.due_at`)} AS due_at, ${task}.labels, ${task}.creator_id, ${task}.assignee_id,
        json_build_object('id', ${task}.creator_id, 'name', ${displayName(creator)}) AS creator,
        CASE WHEN ${task}.assignee_id IS NOT NULL
          THEN json_build_object('id', ${task}.assignee_id, 'name', ${displayName(assignee)}) END AS assignee,
        ${task}.version, ${isoMicros(`${task}.created_at`)} AS created_at, ${isoMicros(`${task}.updated_at`)} AS updated_at
    ) AS shown
  )`;
}

/** SQL for an activity log entry as the API returns it, also as compact JSON. */
export function activityJson(entry: string, actor: string): string {
  return `(
    SELECT to_json(shown)::text FROM (
      SELECT ${entry}.id, ${entry}.task_id, ${entry}.action,
        CASE WHEN ${entry}.actor_id IS NOT NULL
          THEN json_build_object('id', ${entry}.actor_id, 'name', ${displayName(actor)}) END AS actor,
        ${entry}.field, ${entry}.from_value AS "from", ${entry}.to_value AS "to", ${entry}.reason,
        ${isoMicros(`${entry}.created_at`)} AS created_at
    ) AS shown
  )`;
}

/**
 * Joins the users that `taskJson` shows. LATERAL with a LIMIT forces one look-up per task: with a few thousand users, a
 * plain join reads the whole directory for a page of 50 tasks.
 */
export function joinUsers(task: string): string {
  return joinUser('creator', `${task}.creator_id`) + joinUser('assignee', `${task}.assignee_id`);
}

/** Joins one user in the same way. */
export function joinUser(name: string, id: string): string {
  return `
    LEFT JOIN LATERAL (SELECT * FROM directory_users WHERE directory_users.id = ${id} LIMIT 1) ${name} ON true`;
}
