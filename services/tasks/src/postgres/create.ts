import { eventHeaders, runWithEvents } from '@taskwire/outbox';
import type { Database, Statement, Tx } from '@taskwire/postgres';
import type { Document, IdempotentRequest, NewTask } from '../app/ports.ts';
import { creation } from '../domain/creation.ts';
import type { PerformerSql } from './performer-sql.ts';
import { recordChangeSql } from './record-change.ts';
import { joinPeople, taskJson } from './task-json.ts';

type Details = {
  /** Why the assignee was chosen; null when a user chose them. */
  reason: string | null;
  /** For an idempotent request, the statement also claims the key and saves the response. */
  request: IdempotentRequest | undefined;
};

/**
 * Stores a task with its events and activity entries in one statement, the hottest in the service. Returns undefined
 * when nothing was stored: the assignee is not a performer, or the key was already claimed. Waits while another
 * transaction that claimed the key is still running.
 */
type CreateTask = (db: Database | Tx, task: NewTask, details: Details) => Promise<Document | undefined>;

export function creatingTasks(performer: PerformerSql): CreateTask {
  const statementFor = creationStatements(performer);
  return async (db, task, details) => {
    const [row] = await runWithEvents<{ json: string }>(db, statementFor(task, details));
    return row && { text: row.json, etag: 1 };
  };
}

/** The statements behind `CreateTask`. Their row has the task as JSON text in `json`. */
export function creationStatements(performer: PerformerSql): (task: NewTask, details: Details) => Statement {
  const draft = { name: 'tasks.create_draft', text: creationSql(draftRow) };
  const assigned = { name: 'tasks.create_assigned', text: creationSql(assignedRow(performer)) };
  return (task, { reason, request }) => {
    const { events, log } = creation(task.assignee_id, reason);
    return {
      ...(task.assignee_id === null ? draft : assigned),
      values: [
        task.title, // $1
        task.description,
        task.priority,
        task.due_at,
        task.labels,
        task.creator_id, // $6
        JSON.stringify(events),
        JSON.stringify(log),
        eventHeaders(),
        task.assignee_id, // $10
        request?.key ?? null,
        request?.fingerprint ?? null, // $12
      ],
    };
  };
}

function columns(state: string, assigneeId: string): string {
  return `
    uuidv7() AS id, $1::text AS title, $2::text AS description, ${state}::text AS state, $3::text AS priority,
    $4::timestamptz AS due_at, $5::text[] AS labels, $6::uuid AS creator_id, ${assigneeId}::uuid AS assignee_id,
    1 AS version, clock.now AS created_at, clock.now + (jsonb_array_length($7::jsonb) - 1) * interval '1 microsecond' AS updated_at`;
}

const clock = '(SELECT clock_timestamp() AS now) AS clock';

const draftRow = `SELECT ${columns("'draft'", '$10')} FROM ${clock}`;

/** Returns no row unless the assignee is a performer. The lock keeps them one until the transaction commits. */
function assignedRow({ isPerformer }: PerformerSql): string {
  return `
  SELECT ${columns("'assigned'", 'performer.id')} FROM directory_users performer, ${clock}
  WHERE performer.id = $10 AND ${isPerformer('performer')}
  FOR SHARE OF performer`;
}

/** A request with a key claims it first; one that fails to claim it stores nothing else. */
function creationSql(row: string): string {
  return `
  WITH draft AS MATERIALIZED (${row}
  ), shown AS MATERIALIZED (
    SELECT task.id, ${taskJson('task', 'creator', 'assignee')} AS json FROM draft task ${joinPeople('task')}
  ), claimed AS (
    INSERT INTO idempotency_keys (actor_id, key, fingerprint, response_body, etag)
    SELECT $6::uuid, $11::text, $12::bytea, json, 1 FROM shown WHERE $11::text IS NOT NULL
    ON CONFLICT DO NOTHING RETURNING key
  ), stored AS (
    INSERT INTO tasks (id, title, description, state, priority, due_at, labels, creator_id, assignee_id, version, created_at, updated_at)
    SELECT draft.* FROM draft WHERE $11::text IS NULL OR EXISTS (SELECT FROM claimed)
    RETURNING id, updated_at, $7::jsonb AS events, $8::jsonb AS log
  ), ${recordChangeSql('stored', '$6::uuid', '$9::json')}
  SELECT shown.json FROM shown JOIN stored USING (id)`;
}
