import { isoMicros } from '@taskwire/postgres';

/** The displayed name of a user: a placeholder for a deleted user, empty until the directory knows the user. */
export function displayName(user: string): string {
  return `CASE WHEN ${user}.is_deleted THEN 'Deleted user' ELSE coalesce(${user}.name, '') END`;
}

/**
 * SQL for a task as the API returns it, as compact JSON. The database builds the text and the service passes it on,
 * without parsing and serialising values in between. `task` names a row of tasks; `creator` and `assignee` name two
 * outer-joined rows of directory_users. `more` are further columns, each after a comma.
 */
export function taskJson(task: string, creator: string, assignee: string, more = ''): string {
  return `(
    SELECT to_json(shown)::text FROM (
      SELECT ${firstColumns(task)},
        json_build_object('id', ${task}.creator_id, 'name', ${displayName(creator)}) AS creator,
        CASE WHEN ${task}.assignee_id IS NOT NULL
          THEN json_build_object('id', ${task}.assignee_id, 'name', ${displayName(assignee)}) END AS assignee,
        ${task}.kind, CASE WHEN ${task}.job_id IS NOT NULL THEN ${jobOf(task)} END AS job, ${lastColumns(task)}${more}
    ) AS shown
  )`;
}

/** SQL for a task as the sync feed returns it: with ids instead of names and of the job. */
export function syncedTaskJson(task: string): string {
  return `(
    SELECT to_json(shown)::text FROM (
      SELECT ${firstColumns(task)}, ${task}.kind, ${task}.job_id, ${lastColumns(task)}
    ) AS shown
  )`;
}

function firstColumns(task: string): string {
  return `${task}.id, ${task}.title, ${task}.description, ${task}.state, ${task}.priority,
        ${isoMicros(`${task}.due_at`)} AS due_at, ${task}.due_time_zone, ${task}.due_all_day, ${task}.remind_before,
        ${task}.labels, ${task}.project_id, ${task}.creator_id, ${task}.assignee_id, ${task}.awaiting_performer`;
}

function lastColumns(task: string): string {
  return `${task}.parent_id, ${task}.version, ${isoMicros(`${task}.created_at`)} AS created_at, ${isoMicros(`${task}.updated_at`)} AS updated_at`;
}

/** SQL for the job of a task, read only for a task that has one. The state of a job that was removed follows from its task. */
function jobOf(task: string): string {
  return `(
          SELECT json_build_object('id', ${task}.job_id, 'queue', job.queue, 'kind', job.kind, 'state', coalesce(job.state,
            CASE ${task}.state WHEN 'completed' THEN 'succeeded' WHEN 'cancelled' THEN 'cancelled' ELSE 'dead' END),
            'reason', job.reason, 'progress', job.progress)
          FROM (SELECT) AS one LEFT JOIN jobs job ON job.id = ${task}.job_id)`;
}

/** SQL for an activity log entry as the API returns it, also as compact JSON. */
export function activityJson(entry: string, actor: string): string {
  return `(
    SELECT to_json(shown)::text FROM (
      SELECT ${entry}.id, ${entry}.task_id, ${entry}.action,
        CASE WHEN ${entry}.actor_id IS NOT NULL
          THEN json_build_object('id', ${entry}.actor_id, 'name', ${displayName(actor)}) END AS actor,
        ${entry}.field, ${entry}.from_value AS "from", ${entry}.to_value AS "to", ${entry}.reason, ${entry}.why,
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
