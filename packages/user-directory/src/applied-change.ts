import type { Tx } from '@taskwire/postgres';
import { differs, toUser, type DirectoryUser, type UserRow } from './user.ts';

/** A change to a user in the directory. `before` is absent for a previously unknown user. */
export type Change = { before?: DirectoryUser; after: DirectoryUser };

/** Runs in the transaction of the change, once for each user with a visible change, with the user's row locked. */
export type OnApplied = (tx: Tx, change: Change) => Promise<void>;

/** A row that changed. */
export type AppliedChange = Change & {
  /** Whether the change is visible to services; if so, `onApplied` was called. */
  changed: boolean;
  /** Whether no event has announced this state by the end of the grace period. */
  unannounced: boolean;
};

export type AppliedRow = Record<`${'old' | 'new'}_${keyof UserRow}`, unknown> & { unannounced: boolean };

/** The user's columns before (`old`) and after (`new`) a statement, for its RETURNING clause: PostgreSQL 18. */
export const oldAndNew = ['old', 'new']
  .flatMap((which) =>
    ['id', 'email', 'email_verified', 'name', 'role', 'version', 'is_deleted', 'tokens_valid_after', 'fetched_at'].map(
      (column) => `${which}.${column} AS ${which}_${column}`,
    ),
  )
  .join(', ');

/** Calls `onApplied` for the rows of a statement whose changes are visible to services. Skips rows that are still known only from events. */
export async function announce(
  tx: Tx,
  rows: readonly AppliedRow[],
  onApplied: OnApplied | undefined,
): Promise<AppliedChange[]> {
  const applied: AppliedChange[] = [];
  for (const row of rows) {
    const before = userOf(row, 'old');
    const after = userOf(row, 'new');
    if (after === undefined) continue;
    const change: Change = before === undefined ? { after } : { before, after };
    const changed = differs(before, after);
    if (changed) await onApplied?.(tx, change);
    applied.push({ ...change, changed, unannounced: row.unannounced });
  }
  return applied;
}

function userOf(row: AppliedRow, which: 'old' | 'new'): DirectoryUser | undefined {
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
