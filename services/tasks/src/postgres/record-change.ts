import { outboxInsertSql } from '@taskwire/outbox';
import { isoMicros } from '@taskwire/postgres';

/**
 * Each event of a change has an instant of its own, a microsecond after the one before; `updated_at` is that of the last. A change comes this
 * much later than the one before it, so that there is room for its events (four at most) even when the clock was set back.
 */
export const changeSpan = "interval '10 microseconds'";

/**
 * The parts of a WITH that remember and tell what was done. `changed` is the part that stored it: its rows have `id`, `updated_at`, and
 * `events` and `log` as the domain made them, as jsonb. `actor` and `headers` are parameters. Reading from `changed` makes PostgreSQL change (and lock)
 * the task before anything enters the outbox.
 */
export function recordChangeSql(changed: string, actor: string, headers: string): string {
  return `
  logged AS (
    INSERT INTO task_activity (task_id, action, actor_id, field, from_value, to_value, reason, created_at)
    SELECT ${changed}.id, entry ->> 'action', ${actor}, entry ->> 'field',
      nullif(entry -> 'from', 'null'), nullif(entry -> 'to', 'null'), entry ->> 'reason', ${changed}.updated_at
    FROM ${changed}, jsonb_array_elements(${changed}.log) WITH ORDINALITY AS listed (entry, place)
    ORDER BY ${changed}.id, place
  ), told AS (
    ${outboxInsertSql(`
    SELECT event ->> 'type', ${changed}.id::text, (
        jsonb_build_object('task_uuid', ${changed}.id, 'timestamp', ${eventTime(changed)}, 'actor', ${actor})
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
