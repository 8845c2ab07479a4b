import {
  query,
  type Database,
  type MigrationSource,
  type Queryable,
  type Statement,
  type TableRetention,
  type Tx,
} from '@taskwire/postgres';
import { injectTrace, logContext, requestAgeMicros } from '@taskwire/telemetry';
import { relayHint } from './notifier.ts';
import { publishedEventRetention } from './published-events.ts';

export const outboxMigrations: MigrationSource = {
  name: 'outbox',
  directory: new URL('../migrations/', import.meta.url),
};

/** The retention of the outbox's tables. */
export function outboxRetention(): TableRetention {
  return {
    rules: [publishedEventRetention()],
    kept: { outbox: 'an event leaves when the broker has confirmed it' },
  };
}

/** An event to be published once the caller's transaction commits. */
export type NewEvent = {
  /** Routing key, `<service>.<entity>.<event>`. */
  type: string;
  /** The id of the entity that the event is about. Each consumer receives the events of one aggregate in the order of their ids. */
  aggregateId: string;
  payload: object;
};

/** Events carry ids, not documents. If payloads were larger, the few thousand rows that the relay reads ahead could fill its memory. */
const maxPayloadBytes = 65_536;

const appendSql = `
  INSERT INTO outbox (type, aggregate_id, payload, headers)
  SELECT type, aggregate_id, payload::json, $4::json
  FROM unnest($1::text[], $2::text[], $3::text[]) AS event (type, aggregate_id, payload)`;

/**
 * Adds events to the outbox in the transaction of the change that they announce, and wakes the relay after the commit. Ids follow the order of the
 * array. Lock the aggregate's row first (by changing it, or FOR UPDATE), so that rows of one aggregate commit in the order of their ids. Message id,
 * trace context and correlation id (the request's id) are filled in.
 * @throws RangeError for a payload above 64 KiB.
 */
export async function appendEvents(tx: Tx, events: readonly NewEvent[]): Promise<void> {
  if (events.length === 0) return;
  await insertEvents(tx, events);
  tx.afterCommit(relayHint(tx.database));
}

/** Like `appendEvents`, but on any connection and without waking the relay, whose poll finds the events. */
export async function insertEvents(db: Queryable, events: readonly NewEvent[]): Promise<void> {
  if (events.length === 0) return;
  const payloads = events.map(({ type, payload }) => encodePayload(type, payload));
  await query(db, {
    name: 'outbox.append',
    text: appendSql,
    values: [events.map((e) => e.type), events.map((e) => e.aggregateId), payloads, eventHeaders()],
  });
}

/**
 * Returns the INSERT to use in a single statement that changes an aggregate and appends its events: `WITH task AS (UPDATE …), event AS
 * (${outboxInsertSql(select)}) …`. `select` yields type, aggregate_id, payload (json) and headers (json, from `eventHeaders()` as a parameter). It
 * must read from the CTE that changes the aggregate, so that PostgreSQL runs that CTE first. Run the statement with `runWithEvents`.
 */
export function outboxInsertSql(select: string): string {
  return `INSERT INTO outbox (type, aggregate_id, payload, headers) ${select}`;
}

/** Runs a statement that contains `outboxInsertSql`, in a transaction or on its own, and wakes the relay once it is committed. */
export async function runWithEvents<R extends object>(db: Database | Tx, statement: Statement): Promise<R[]> {
  if ('run' in db) return await db.run<R>(statement, relayHint(db));
  db.afterCommit(relayHint(db.database));
  return await db.query<R>(statement);
}

/** Wakes the relay after a committed statement that may contain `outboxInsertSql`, if it has appended events. */
export function hintEvents(db: Database): void {
  relayHint(db)();
}

/**
 * Returns the trace context and correlation id of the current work, as a parameter for the outbox's `headers` column (JSON). pg encodes parameters
 * when it sends a statement, after waiting for a connection, so the age of the request is exact at that moment (journeys compute the request's
 * arrival from this age).
 */
export function eventHeaders(): { toPostgres(): string } {
  const work = logContext();
  const context = { ...injectTrace(), correlation_id: work.request_id };
  return { toPostgres: () => JSON.stringify({ ...context, request_age_us: requestAgeMicros(work) }) };
}

function encodePayload(type: string, payload: object): string {
  const text = JSON.stringify(payload);
  const bytes = Buffer.byteLength(text);
  if (bytes > maxPayloadBytes)
    throw new RangeError(`the payload of ${type} has ${bytes} bytes, ${maxPayloadBytes} are allowed`);
  return text;
}
