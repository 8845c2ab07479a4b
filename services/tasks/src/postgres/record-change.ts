import { outboxInsertSql } from '@taskwire/outbox';
import { isoMicros } from '@taskwire/postgres';

/**
 * The minimum time between changes of a task. The events of a change are one microsecond apart, and `updated_at` is the
 * time of the last one. This interval leaves room for those events (at most four), even when the clock was set back.
 */
export const changeSpan = "interval '10 microseconds'";

/**
 * The WITH parts that store the activity entries and append the events of a change. `changed` names the part that
 * stored the change: its rows have `id`, `project_id`, `updated_at`, and `events` and `log` as jsonb from the domain. `actor` and
 * `headers` are parameters. Reading from `changed` makes PostgreSQL change (and lock) the task before any event enters
 * the outbox.
 */
export function recordChangeSql(changed: string, actor: string, headers: string): string {
  return `
  logged AS (
    INSERT INTO task_activity (task_id, action, actor_id, field, from_value, to_value, reason, why, choice, created_at)
    SELECT ${changed}.id, entry ->> 'action', ${actor}, entry ->> 'field',
      nullif(entry -> 'from', 'null'), nullif(entry -> 'to', 'null'), entry ->> 'reason', entry ->> 'why', entry -> 'choice',
      ${changed}.updated_at
    FROM ${changed}, jsonb_array_elements(${changed}.log) WITH ORDINALITY AS listed (entry, place)
    ORDER BY ${changed}.id, place
  ), emitted AS (
    ${outboxInsertSql(`
    SELECT event ->> 'type', ${changed}.id::text, (
        jsonb_build_object('task_uuid', ${changed}.id, 'project_id', ${changed}.project_id, 'timestamp', ${eventTime(changed)}, 'actor', ${actor})
        || (event - 'type')
      )::json, ${headers}
    FROM ${changed}, jsonb_array_elements(${changed}.events) WITH ORDINALITY AS listed (event, place)
    ORDER BY ${changed}.id, place`)}
  )`;
}

function eventTime(changed: string): string {
  return isoMicros(
    `(${changed}.updated_at - (jsonb_array_length(${changed}.events) - place) * interval '1 microsecond')`,
  );
}
