import { eventHeaders, runWithEvents } from '@taskwire/outbox';
import { onlyRow, type Database, type Statement, type Tx } from '@taskwire/postgres';
import type { Document, IdempotentRequest, NewTask, TaskJson, TaskWrites } from '../app/ports.ts';
import type { Grounds } from '../domain/change.ts';
import { byUser, creation } from '../domain/creation.ts';
import type { PerformerSql } from './performer-sql.ts';
import { recordChangeSql } from './record-change.ts';
import { joinUsers, taskJson } from './task-json.ts';

type Details = {
  grounds: Grounds;
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
    const [row] = await runWithEvents<{ json: TaskJson }>(db, statementFor(task, details));
    return row && { text: row.json, etag: 1 };
  };
}

const clock = '(SELECT clock_timestamp() AS now) AS clock';

/** The statements behind `CreateTask`. Their row has the task as JSON text in `json`. */
export function creationStatements(performer: PerformerSql): (task: NewTask, details: Details) => Statement {
  const { draft, draftIdempotent, assigned, assignedIdempotent } = creationSql(performer);
  return (task, { grounds, request }) => {
    const values = creationValues(task, grounds);
    const isDraft = task.assignee_id === null;
    if (request === undefined) return { ...(isDraft ? draft : assigned), values };
    const keyed = [...values, request.key, request.fingerprint]; // $16, $17
    return { ...(isDraft ? draftIdempotent : assignedIdempotent), values: keyed };
  };
}

/** The values of $1 to $15 of every statement that creates a task. */
function creationValues(task: NewTask, grounds: Grounds): unknown[] {
  const { events, log } = creation(task.assignee_id, grounds);
  return [
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
    task.due_time_zone,
    task.due_all_day,
    task.remind_before,
    task.parent_id, // $14
    task.project_id,
  ];
}

/**
 * Every parameter has one position in all statements; `services/tasks/statements.sql` shows them composed. Fewer statements with more NULLs were
 * measured and are slower, because each would open tables that most requests don't need. With a single statement for requests with and without a key,
 * a draft without a key takes 7 % longer (0.72 instead of 0.67 ms, including the round trip). A single statement for drafts and assigned tasks costs
 * about as much.
 */
export function creationSql(performer: PerformerSql) {
  const assigned = assignedRowOf(performer.isPerformer('performer'));
  return {
    draft: { name: 'tasks.create_draft', text: insertSql(draftRow, withoutKey) },
    draftIdempotent: { name: 'tasks.create_draft_idempotent', text: insertSql(draftRow, withKey) },
    assigned: { name: 'tasks.create_assigned', text: insertSql(assigned, withoutKey) },
    assignedIdempotent: { name: 'tasks.create_assigned_idempotent', text: insertSql(assigned, withKey) },
  };
}

function columns(id: string, state: string, assigneeId: string, kind = "'task' AS kind, NULL::uuid AS job_id"): string {
  return `
    ${id} AS id, $1::text AS title, $2::text AS description, ${state}::text AS state, $3::text AS priority,
    $4::timestamptz AS due_at, $11::text AS due_time_zone, $12::boolean AS due_all_day, $13::text AS remind_before, $5::text[] AS labels, $6::uuid AS creator_id, ${assigneeId}::uuid AS assignee_id,
    false AS awaiting_performer, ${kind}, $14::uuid AS parent_id, $15::uuid AS project_id, 1 AS version, clock.now AS created_at, clock.now + (jsonb_array_length($7::jsonb) - 1) * interval '1 microsecond' AS updated_at`;
}

function draftRowOf(id: string, kind?: string): string {
  return `SELECT ${columns(id, "'draft'", '$10', kind)} FROM ${clock}`;
}
const draftRow = draftRowOf('uuidv7()');

/** Returns no row unless the assignee is a performer. Because of the lock, the assignee remains a performer until the transaction commits. */
function assignedRowOf(isPerformer: string): string {
  return `
  SELECT ${columns('uuidv7()', "'assigned'", 'performer.id')} FROM directory_users performer, ${clock}
  WHERE performer.id = $10 AND ${isPerformer}
  FOR SHARE OF performer`;
}

type KeyClaim = { part: string; join: string };
const withoutKey: KeyClaim = { part: '', join: '' };
/** The key is claimed first: a request that fails to claim it stores nothing else. */
const withKey: KeyClaim = {
  part: `
  claimed AS (
    INSERT INTO idempotency_keys (actor_id, key, fingerprint, response_body, etag)
    SELECT $6::uuid, $16, $17, json, 1 FROM shown
    ON CONFLICT DO NOTHING RETURNING key
  ),`,
  join: 'CROSS JOIN claimed',
};

/** The statement that creates the task of a job, with its id in $16 and that of the job in $17. */
const jobTaskCreation = {
  name: 'tasks.create_of_job',
  text: insertSql(draftRowOf('$16::uuid', "'job' AS kind, $17::uuid AS job_id"), withoutKey),
};

/** The hot statements besides those of `creationSql`. */
export const otherCreations = [jobTaskCreation];

/** Stores the task of a job. */
export const insertJobTask: TaskWrites['insertJobTask'] = async (tx, task, { id, jobId }) => {
  const values = [...creationValues(task, byUser), id, jobId];
  const { json } = onlyRow(await runWithEvents<{ json: TaskJson }>(tx, { ...jobTaskCreation, values }));
  return { text: json, etag: 1 };
};

function insertSql(row: string, claim: KeyClaim): string {
  return `
  WITH draft AS MATERIALIZED (${row}
  ), shown AS MATERIALIZED (
    SELECT task.id, ${taskJson('task', 'creator', 'assignee')} AS json FROM draft task ${joinUsers('task')}
  ), ${claim.part}
  stored AS (
    INSERT INTO tasks (
      id, title, description, state, priority, due_at, due_time_zone, due_all_day, remind_before, labels, creator_id, assignee_id, awaiting_performer, kind, job_id, parent_id,
      project_id,
      version, created_at, updated_at
    )
    SELECT draft.* FROM draft ${claim.join}
    RETURNING id, project_id, updated_at, $7::jsonb AS events, $8::jsonb AS log
  ), ${recordChangeSql('stored', '$6::uuid', '$9::json')}
  SELECT shown.json FROM shown JOIN stored USING (id)`;
}
