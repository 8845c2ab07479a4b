import { isReadable } from '../projects/readable.ts';

/**
 * A condition: whether a user who may read a task may also read an entry of its activity log. An entry belongs to the project in which its change left the
 * task, so a task that was moved out of a project does not take the past in that project along. `reader` is a parameter that is null for a reader of
 * every task. Probes the index `task_moves` once for each entry.
 */
export function isReadableEntry(entry: string, reader: string): string {
  return `(${reader}::uuid IS NULL OR NOT EXISTS (
      SELECT FROM (
        SELECT (move.from_value #>> '{}')::uuid AS project_id FROM task_activity move
        WHERE move.task_id = ${entry}.task_id AND move.field = 'project_id' AND move.action = 'changed'
          AND move.seq > ${entry}.seq AND move.created_at > ${entry}.created_at
        ORDER BY move.seq LIMIT 1
      ) AS place WHERE NOT ${isReadable('place', `${reader}::uuid`)}
    ))`;
}
