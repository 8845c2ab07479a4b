import { query, type Tx } from '@taskwire/postgres';
import { differs, toUser, type DirectoryUser, type UserRow, type UserState } from './user.ts';

/** A user of the directory became another. `before` is absent for one who was not known. */
export type Change = { before?: DirectoryUser; after: DirectoryUser };

/** Runs in the transaction of the change, once for each user that something changed of, with the user's row locked. */
export type OnApplied = (tx: Tx, change: Change) => Promise<void>;

/** A row that took on a newer state. */
export type Advance = Change & {
  /** Whether services see a difference, and `onApplied` was called. */
  changed: boolean;
  /** Whether no event had told of this state, although it is older than the grace. */
  unannounced: boolean;
};

/** The columns of a row before (`old`) or after (`new`) a statement: PostgreSQL 18. */
function returning(which: 'old' | 'new'): string {
  const columns = [
    'id',
    'email',
    'email_verified',
    'name',
    'role',
    'version',
    'is_deleted',
    'tokens_valid_after',
    'fetched_at',
  ];
  return columns.map((column) => `${which}.${column} AS ${which}_${column}`).join(', ');
}

/**
 * Takes on states that were read from Auth. A state of a lower or the same version than what is held changes nothing, nor does a living one
 * of a user with a tombstone: a fetch may be slower than the news. Rows are locked in the order of their ids, so that two of these never wait
 * for each other.
 *
 * A rebuild ($3: when it asked Auth) also takes on the same version, which mends a row that was damaged here, and a lower version than one that was
 * taken on before it asked: Auth itself has gone back then, to a backup.
 *
 * The version before this column leaves it as it was, null or outdated, while a deploy replaces it. So the same version may bring it, too, which is no
 * drift.
 */
const takeOn = `
  INSERT INTO directory_users AS held
    (id, email, email_verified, name, role, version, updated_at, tokens_valid_after, is_deleted, fetched_at)
  SELECT DISTINCT ON (id) id, email, coalesce(email_verified, false), name, role, version, updated_at, tokens_valid_after, is_deleted,
    clock_timestamp()
  FROM jsonb_to_recordset($1::jsonb) AS read(
    id uuid, email text, email_verified boolean, name text, role text, version integer,
    updated_at timestamptz, tokens_valid_after timestamptz, is_deleted boolean)
  ORDER BY id, version DESC
  ON CONFLICT (id) DO UPDATE SET
    email = excluded.email,
    email_verified = excluded.email_verified,
    name = excluded.name,
    role = excluded.role,
    version = excluded.version,
    updated_at = excluded.updated_at,
    -- an event may have told of a later end of access than what was read
    tokens_valid_after = greatest(held.tokens_valid_after, excluded.tokens_valid_after),
    is_deleted = excluded.is_deleted,
    fetched_at = excluded.fetched_at,
    stale_since = CASE WHEN NOT excluded.is_deleted THEN held.stale_since END,
    next_fetch_at = CASE WHEN NOT excluded.is_deleted THEN held.next_fetch_at END
  WHERE (excluded.is_deleted OR NOT held.is_deleted)
    AND (held.version < excluded.version
      OR (held.version = excluded.version AND held.email_verified IS DISTINCT FROM excluded.email_verified)
      OR ($3::timestamptz IS NOT NULL AND (held.version = excluded.version OR held.fetched_at < $3)))
  RETURNING ${returning('old')}, ${returning('new')},
    coalesce(new.event_at < new.updated_at, true) AND NOT (old.is_deleted IS TRUE AND new.is_deleted)
      AND old.version IS DISTINCT FROM new.version
      AND new.updated_at < clock_timestamp() - $2::integer * interval '1 millisecond' AS unannounced`;

/** A row that is as new as its newest event needs no fetch. */
const settle = `
  UPDATE directory_users
  SET stale_since = NULL, next_fetch_at = NULL, attempts = 0, last_error = NULL
  WHERE id = ANY($1::uuid[]) AND stale_since IS NOT NULL
    AND version > 0 AND coalesce(event_at, '-infinity') <= updated_at`;

/** A delete that arrives first leaves a tombstone too. */
const bury = `
  INSERT INTO directory_users AS held (id, is_deleted, event_at)
  VALUES ($1, true, $2::timestamptz)
  ON CONFLICT (id) DO UPDATE SET
    is_deleted = true,
    event_at = greatest(held.event_at, excluded.event_at),
    stale_since = NULL,
    next_fetch_at = NULL,
    attempts = 0,
    last_error = NULL
  WHERE NOT held.is_deleted
  RETURNING ${returning('old')}, ${returning('new')}, false AS unannounced`;

/** Ends of access only go forward, so neither order nor version matters. The row is there: the event made it stale before. */
const endTokens = `
  UPDATE directory_users
  SET tokens_valid_after = $2::timestamptz
  WHERE id = $1 AND NOT is_deleted AND $2::timestamptz > coalesce(tokens_valid_after, '-infinity')
  RETURNING ${returning('old')}, ${returning('new')}, false AS unannounced`;

type AdvanceRow = Record<`${'old' | 'new'}_${keyof UserRow}`, unknown> & { unannounced: boolean };

/** How long an event may take until its absence counts as a loss, in milliseconds: redelivery and a restart of the broker fit in. */
const announcementGraceMs = 60_000;

/** Takes on states in the caller's transaction; gives the rows that advanced. `rebuildAskedAt`: see the statement. */
export async function applyStates(
  tx: Tx,
  states: readonly UserState[],
  onApplied: OnApplied | undefined,
  rebuildAskedAt: string | null = null,
): Promise<Advance[]> {
  if (states.length === 0) return [];
  const rows = await query<AdvanceRow>(tx, takeOn, [JSON.stringify(states), announcementGraceMs, rebuildAskedAt]);
  await query(tx, settle, [states.map(({ id }) => id)]);
  return await tell(tx, rows, onApplied);
}

/** Leaves a tombstone in the caller's transaction. `eventAt` is the time of the event that told of it; null when a fetch did. */
export async function applyDeletion(
  tx: Tx,
  id: string,
  eventAt: string | null,
  onApplied: OnApplied | undefined,
): Promise<Advance | undefined> {
  const rows = await query<AdvanceRow>(tx, bury, [id, eventAt]);
  const [advance] = await tell(tx, rows, onApplied);
  return advance;
}

/** Ends, in the caller's transaction, what access was given before: by the event alone, so that it holds while Auth cannot be asked. */
export async function applyAccessEnd(
  tx: Tx,
  id: string,
  eventAt: string,
  onApplied: OnApplied | undefined,
): Promise<void> {
  const rows = await query<AdvanceRow>(tx, endTokens, [id, eventAt]);
  // of one who was never fetched there is nothing to tell yet
  await tell(
    tx,
    rows.filter((row) => row.new_fetched_at !== null),
    onApplied,
  );
}

async function tell(tx: Tx, rows: readonly AdvanceRow[], onApplied: OnApplied | undefined): Promise<Advance[]> {
  const advances: Advance[] = [];
  for (const row of rows) {
    const before = part(row, 'old');
    const after = part(row, 'new');
    if (after === undefined) throw new Error('a row that took on a state has none');
    const change: Change = before === undefined ? { after } : { before, after };
    const changed = differs(before, after);
    if (changed) await onApplied?.(tx, change);
    advances.push({ ...change, changed, unannounced: row.unannounced });
  }
  return advances;
}

function part(row: AdvanceRow, which: 'old' | 'new'): DirectoryUser | undefined {
  if (row[`${which}_id`] === null) return undefined;
  const column = <K extends keyof UserRow>(name: K) => row[`${which}_${name}`] as UserRow[K];
  return toUser({
    id: column('id'),
    email: column('email'),
    email_verified: column('email_verified'),
    name: column('name'),
    role: column('role'),
    version: column('version'),
    is_deleted: column('is_deleted'),
    tokens_valid_after: column('tokens_valid_after'),
    fetched_at: column('fetched_at'),
  });
}
