import { eventHeaders, runWithEvents } from '@taskwire/outbox';
import type { Database, Statement, Tx } from '@taskwire/postgres';
import type { Document, IdempotentRequest, NewTask } from '../app/ports.ts';
import { creation } from '../domain/creation.ts';
import type { PerformerSql } from './performer-sql.ts';
import { recordChangeSql } from './record-change.ts';
import { joinPeople, taskJson } from './task-json.ts';

/**
 * Stores a task with its events and activity entries in one statement, the hottest in the service. For an idempotent
 * request, also stores the response. Returns undefined when nothing was stored: the assignee is not a performer, or the
 * key was already claimed. Waits while another transaction that claimed the key is still running. `reason` is why the
 * assignee was chosen.
 */
export type InsertTask = (
  db: Database | Tx,
  task: NewTask,
  reason: string | null,
  request: IdempotentRequest | undefined,
) => Promise<Document | undefined>;

export function insertingTasks(performer: PerformerSql): InsertTask {
  const insertion = insertionOf(performer);
  return async (db, ...what) => {
    const [row] = await runWithEvents<{ json: string }>(db, insertion(...what));
    return row && { text: row.json, etag: 1 };
  };
}

/** The statement behind `InsertTask`. Its row has the task as JSON text in `json`. */
export function insertionOf(performer: PerformerSql) {
  const statements = statementsFor(performer);
  return (task: NewTask, reason: string | null, request: IdempotentRequest | undefined): Statement => {
    const { events, log } = creation(task.assignee_id, reason);
    const values = [
      task.title,
      task.description,
      task.priority,
      task.due_at,
      task.labels,
      task.creator_id,
      JSON.stringify(events),
      JSON.stringify(log),
      eventHeaders(),
      ...(task.assignee_id === null ? [] : [task.assignee_id]),
      ...(request === undefined ? [] : [request.key, request.fingerprint]),
    ];
    const statement =
      statements[task.assignee_id === null ? 'draft' : 'assigned'][request === undefined ? 'each' : 'once'];
    return { ...statement, values };
  };
}

function columns(state: string, assigneeId: string): string {
  return `
    uuidv7() AS id, $1::text AS title, $2::text AS description, ${state}::text AS state, $3::text AS priority,
    $4::timestamptz AS due_at, $5::text[] AS labels, $6::uuid AS creator_id, ${assigneeId}::uuid AS assignee_id,
    1 AS version, clock.now AS created_at, clock.now + (jsonb_array_length($7::jsonb) - 1) * interval '1 microsecond' AS updated_at`;
}

const clock = '(SELECT clock_timestamp() AS now) AS clock';

const draft = `SELECT ${columns("'draft'", 'NULL')} FROM ${clock}`;

/** Returns no row unless the assignee is a performer. The lock keeps them one until the transaction commits. */
function assigned({ performs }: PerformerSql): string {
  return `
  SELECT ${columns("'assigned'", 'performer.id')} FROM directory_users performer, ${clock}
  WHERE performer.id = $10 AND ${performs('performer')}
  FOR SHARE OF performer`;
}

/** The key is claimed first: a request that fails to claim it stores nothing else. */
function claim(key: string, fingerprint: string): string {
  return `
  claimed AS (
    INSERT INTO idempotency_keys (actor_id, key, fingerprint, answer, etag)
    SELECT $6::uuid, ${key}, ${fingerprint}, json, 1 FROM shown
    ON CONFLICT DO NOTHING RETURNING key
  ),`;
}

function insertSql(row: string, claimed: { part: string; join: string }): string {
  return `
  WITH draft AS MATERIALIZED (${row}
  ), shown AS MATERIALIZED (
    SELECT task.id, ${taskJson('task', 'creator', 'assignee')} AS json FROM draft task ${joinPeople('task')}
  ), ${claimed.part}
  stored AS (
    INSERT INTO tasks (id, title, description, state, priority, due_at, labels, creator_id, assignee_id, version, created_at, updated_at)
    SELECT draft.* FROM draft ${claimed.join}
    RETURNING id, updated_at, $7::jsonb AS events, $8::jsonb AS log
  ), ${recordChangeSql('stored', '$6::uuid', '$9::json')}
  SELECT shown.json FROM shown JOIN stored USING (id)`;
}

const each = { part: '', join: '' };

function statementsFor(performer: PerformerSql) {
  return {
    draft: {
      each: { name: 'create draft', text: insertSql(draft, each) },
      once: {
        name: 'create draft once',
        text: insertSql(draft, { part: claim('$10', '$11'), join: 'CROSS JOIN claimed' }),
      },
    },
    assigned: {
      each: { name: 'create assigned', text: insertSql(assigned(performer), each) },
      once: {
        name: 'create assigned once',
        text: insertSql(assigned(performer), { part: claim('$11', '$12'), join: 'CROSS JOIN claimed' }),
      },
    },
  } as const;
}
