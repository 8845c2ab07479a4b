import { eventHeaders } from '@taskwire/outbox';
import { query, type Queryable } from '@taskwire/postgres';
import type { Document } from '../app/ports.ts';
import type { Change } from '../domain/change.ts';
import type { Task } from '../domain/task.ts';
import { changeSpan, recordChangeSql } from './record-change.ts';
import { joinPeople, taskJson } from './task-json.ts';

const changedPart = `
  change AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS listed (
      id uuid, title text, description text, state text, priority text, due_at timestamptz, labels text[], assignee_id uuid,
      awaiting_performer boolean, is_deleted boolean, events jsonb, log jsonb)
  ), stored AS (
    UPDATE tasks task SET
      title = change.title, description = change.description, state = change.state, priority = change.priority,
      due_at = change.due_at, labels = change.labels, assignee_id = change.assignee_id,
      awaiting_performer = change.awaiting_performer, version = task.version + 1,
      updated_at = greatest(clock_timestamp(), task.updated_at + ${changeSpan}),
      deleted_at = CASE WHEN change.is_deleted THEN clock_timestamp() END
    FROM change WHERE task.id = change.id
    RETURNING task.*, change.events, change.log
  ), ${recordChangeSql('stored', '$2::uuid', '$3::json')}`;

const applyOne = `
  WITH ${changedPart}
  SELECT task.version, ${taskJson('task', 'creator', 'assignee')} AS json FROM stored task ${joinPeople('task')}`;

const applyMany = `WITH ${changedPart} SELECT count(*) FROM stored`;

const readOne = `
  SELECT task.version, ${taskJson('task', 'creator', 'assignee')} AS json FROM tasks task ${joinPeople('task')}
  WHERE task.id = $1`;

/** Stores the change of a task that this transaction has locked, with its events and entries. */
export async function applyChange(
  tx: Queryable,
  task: Task,
  change: Change,
  actorId: string | null,
): Promise<Document> {
  const [row] = await query<{ version: number; json: string }>(
    tx,
    isNothing(change)
      ? { name: 'read unchanged', text: readOne, values: [task.id] }
      : { name: 'apply change', text: applyOne, values: [rows([[task, change]]), actorId, eventHeaders()] },
  );
  if (row === undefined) throw new Error(`task ${task.id} is locked and yet gone`);
  return { text: row.json, etag: row.version };
}

/** The same for many. */
export async function applyChanges(
  tx: Queryable,
  changes: readonly (readonly [Task, Change])[],
  actorId: string | null,
): Promise<void> {
  const some = changes.filter(([, change]) => !isNothing(change));
  if (some.length > 0) await query(tx, applyMany, [rows(some), actorId, eventHeaders()]);
}

function isNothing(change: Change): boolean {
  return change.events.length === 0;
}

/** What each task is afterwards, whole, so that one statement fits every kind of change. */
function rows(changes: readonly (readonly [Task, Change])[]): string {
  return JSON.stringify(changes.map(([task, { set, events, log }]) => ({ ...task, ...set, events, log })));
}
