import { eventHeaders, runWithEvents } from '@taskwire/outbox';
import { nextTimestamp, type Tx } from '@taskwire/postgres';
import type { Document, TaskJson } from '../app/ports.ts';
import type { Change } from '../domain/change.ts';
import { isUnfinished } from './links/unfinished.ts';
import { unblock } from './links/unblock.ts';
import { changeSpan, recordChangeSql } from './record-change.ts';
import { joinUsers, taskJson } from './task-json.ts';

/** The fields that a change may set. Omitted fields keep their values. */
const fields =
  'title, description, state, priority, due_at, due_time_zone, due_all_day, remind_before, labels, assignee_id, awaiting_performer, project_id, parent_id';

// PostgreSQL estimates 100 rows for jsonb_to_recordset and would scan the whole table for them; the LIMIT corrects that
const changedPart = (limit: string) => `
  change AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS listed (id uuid, set jsonb, events jsonb, log jsonb) ${limit}
  ), stored AS (
    UPDATE tasks task SET
      (${fields}) = (SELECT ${fields} FROM jsonb_populate_record(task, change.set)),
      version = task.version + 1,
      updated_at = ${nextTimestamp('task.updated_at', changeSpan)},
      deleted_at = CASE WHEN (change.set -> 'is_deleted')::boolean THEN clock_timestamp() END,
      deletion_id = (change.set ->> 'deletion_id')::uuid
    FROM change WHERE task.id = change.id
    RETURNING task.*, change.events, change.log, task.is_linked AND ${isUnfinished('old')} AND NOT ${isUnfinished('new')} AS has_ended
  ), ${recordChangeSql('stored', '$2::uuid', '$3::json')}`;

/** Changes one task, and returns it. */
export const applyOne = {
  name: 'tasks.apply_change',
  text: `
  WITH ${changedPart('LIMIT 1')}
  SELECT task.version, ${taskJson('task', 'creator', 'assignee')} AS json, task.has_ended FROM stored task ${joinUsers('task')}`,
};

const applyMany = (count: number) => `WITH ${changedPart(`LIMIT ${count}`)} SELECT id FROM stored WHERE has_ended`;

type Locked = { id: string };
type Row = { version: number; json: TaskJson; has_ended?: boolean };

export const readUnchanged = {
  name: 'tasks.read_unchanged',
  text: `
  SELECT task.version, ${taskJson('task', 'creator', 'assignee')} AS json FROM tasks task ${joinUsers('task')}
  WHERE task.id = $1`,
};

/** Stores a change to a task locked by this transaction, with its events and activity entries. */
export async function applyChange(tx: Tx, task: Locked, change: Change, actorId: string | null): Promise<Document> {
  const [row] = isNothing(change)
    ? await tx.query<Row>({ ...readUnchanged, values: [task.id] })
    : await runWithEvents<Row>(tx, {
        ...applyOne,
        values: [rows([[task, change]]), actorId, eventHeaders()],
      });
  if (row === undefined) throw new Error(`task ${task.id} is locked, but does not exist`);
  if (row.has_ended === true) await unblock(tx, [task.id], actorId);
  return { text: row.json, etag: row.version };
}

/** One batch takes about half a second of work, and its parameter is a few MB. */
const batch = 5_000;

/** Stores such changes to many tasks, in batches. */
export async function applyChanges(
  tx: Tx,
  changes: readonly (readonly [Locked, Change])[],
  actorId: string | null,
): Promise<void> {
  const effective = changes.filter(([, change]) => !isNothing(change));
  for (let from = 0; from < effective.length; from += batch) {
    const part = effective.slice(from, from + batch);
    const ended = await runWithEvents<Locked>(tx, {
      text: applyMany(part.length),
      values: [rows(part), actorId, eventHeaders()],
    });
    const ids = ended.map(({ id }) => id);
    if (ids.length > 0) await unblock(tx, ids, actorId);
  }
}

function isNothing(change: Change): boolean {
  return change.events.length === 0;
}

function rows(changes: readonly (readonly [Locked, Change])[]): string {
  return JSON.stringify(changes.map(([{ id }, change]) => ({ id, ...change })));
}
