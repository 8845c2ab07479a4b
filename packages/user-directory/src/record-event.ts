import type { Tx } from '@taskwire/postgres';
import type { OnApplied } from './applied-change.ts';
import { recordAccessEnd, recordDeletion } from './claims.ts';
import { recordChange, type UserEvent, type UserEventType } from './events.ts';

/** Records an event in the caller's transaction: its effect on access applies at once, everything else is fetched. */
export async function recordEvent(
  tx: Tx,
  type: UserEventType,
  event: UserEvent,
  { gapMs, onApplied }: { gapMs: number; onApplied: OnApplied | undefined },
): Promise<void> {
  if (type === 'auth.user.deleted') return await recordDeletion(tx, event, gapMs);
  await recordChange(tx, event, gapMs);
  if (type === 'auth.account.access_ended') await recordAccessEnd(tx, event, onApplied);
}
