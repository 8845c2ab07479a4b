import type { Tx } from '@taskwire/postgres';
import { differs, toUser, type DirectoryUser, type UserRow } from './user.ts';

/** A user of the directory became another. `before` is absent for one who was not known. */
export type Change = { before?: DirectoryUser; after: DirectoryUser };

/** Runs in the transaction of the change, once for each user that something changed of, with the user's row locked. */
export type OnApplied = (tx: Tx, change: Change) => Promise<void>;

/** A row that became another. */
export type Advance = Change & {
  /** Whether services see a difference, and `onApplied` was called. */
  changed: boolean;
  /** Whether no event had told of this state, although it is older than the grace. */
  unannounced: boolean;
};

export type AdvanceRow = Record<`${'old' | 'new'}_${keyof UserRow}`, unknown> & { unannounced: boolean };

/** The user's columns before (`old`) and after (`new`) a statement, for its RETURNING: PostgreSQL 18. */
export const oldAndNew = ['old', 'new']
  .flatMap((which) =>
    ['id', 'email', 'email_verified', 'name', 'role', 'version', 'is_deleted', 'tokens_valid_after', 'fetched_at'].map(
      (column) => `${which}.${column} AS ${which}_${column}`,
    ),
  )
  .join(', ');

/** Calls `onApplied` for the rows of a statement that differ for services. A row of which still nothing is known but events is left out. */
export async function announce(
  tx: Tx,
  rows: readonly AdvanceRow[],
  onApplied: OnApplied | undefined,
): Promise<Advance[]> {
  const advances: Advance[] = [];
  for (const row of rows) {
    const before = userOf(row, 'old');
    const after = userOf(row, 'new');
    if (after === undefined) continue;
    const change: Change = before === undefined ? { after } : { before, after };
    const changed = differs(before, after);
    if (changed) await onApplied?.(tx, change);
    advances.push({ ...change, changed, unannounced: row.unannounced });
  }
  return advances;
}

function userOf(row: AdvanceRow, which: 'old' | 'new'): DirectoryUser | undefined {
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
