import { isoMicros } from '@taskwire/postgres';

/** The name that is shown of a user: nothing of one who is deleted, and an empty one until the directory has heard of the user. */
function shownName(user: string): string {
  return `CASE WHEN ${user}.is_deleted THEN 'Deleted user' ELSE coalesce(${user}.name, '') END`;
}

/**
 * SQL for a task as the API shows it, as compact JSON. The database makes the text and the service passes it on, so that no value is taken
 * apart and put together again on the way. `task`, `creator` and `assignee` name a row of tasks and two (outer-joined) of directory_users.
 */
export function taskJson(task: string, creator: string, assignee: string): string {
  return `(
    SELECT to_json(shown)::text FROM (
      SELECT ${task}.id, ${task}.title, ${task}.description, ${task}.state, ${task}.priority,
        ${isoMicros(`${task}.due_at`)} AS due_at, ${task}.labels, ${task}.creator_id, ${task}.assignee_id,
        json_build_object('id', ${task}.creator_id, 'name', ${shownName(creator)}) AS creator,
        CASE WHEN ${task}.assignee_id IS NOT NULL
          THEN json_build_object('id', ${task}.assignee_id, 'name', ${shownName(assignee)}) END AS assignee,
        ${task}.version, ${isoMicros(`${task}.created_at`)} AS created_at, ${isoMicros(`${task}.updated_at`)} AS updated_at
    ) AS shown
  )`;
}

/** SQL for an entry of the activity log as the API shows it, likewise. */
export function activityJson(entry: string, actor: string): string {
  return `(
    SELECT to_json(shown)::text FROM (
      SELECT ${entry}.id, ${entry}.task_id, ${entry}.action,
        CASE WHEN ${entry}.actor_id IS NOT NULL
          THEN json_build_object('id', ${entry}.actor_id, 'name', ${shownName(actor)}) END AS actor,
        ${entry}.field, ${entry}.from_value AS "from", ${entry}.to_value AS "to", ${entry}.reason,
        ${isoMicros(`${entry}.created_at`)} AS created_at
    ) AS shown
  )`;
}

/**
 * Joins the people that `taskJson` shows. LATERAL with a LIMIT makes it a look-up for each task: a plain join reads the whole directory for a page
 * of 50 tasks once there are some thousand users.
 */
export function joinPeople(task: string): string {
  return joinPerson('creator', `${task}.creator_id`) + joinPerson('assignee', `${task}.assignee_id`);
}

/** Joins one person, likewise. */
export function joinPerson(name: string, id: string): string {
  return `
    LEFT JOIN LATERAL (SELECT * FROM directory_users WHERE directory_users.id = ${id} LIMIT 1) ${name} ON true`;
}
