import { outboxInsertSql } from '@taskwire/outbox';
import { isoMicros } from '@taskwire/postgres';

/**
 * The INSERT of the events of jobs that a statement settles. `changed` names the part that changed them: its rows have `id`, `queue`, `kind`, `state`,
 * `reason` and `settled_at`. Reading from it makes PostgreSQL change the jobs before any event enters the outbox. `actor` is an SQL expression, and
 * `headers` a parameter.
 */
export function jobEventsSql({ changed, actor, headers }: { changed: string; actor: string; headers: string }): string {
  return outboxInsertSql(`
    SELECT CASE state WHEN 'succeeded' THEN 'tasks.job.succeeded' WHEN 'dead' THEN 'tasks.job.dead' ELSE 'tasks.job.cancelled' END, id::text, json_build_object('job_id', id, 'queue', queue, 'kind', kind, 'reason', reason,
      'timestamp', ${isoMicros('settled_at')}, 'actor', ${actor}), ${headers}::json
    FROM ${changed} WHERE state IN ('succeeded', 'dead', 'cancelled')`);
}
