import type { Tx } from '@taskwire/postgres';
import type { OnApplied } from './applied-change.ts';
import { recordAccessEnd, recordDeletion } from './claims.ts';
import { recordChange, type Recording, type UserEvent, type UserEventType } from './events.ts';

/** Records an event in the caller's transaction: its effect on access applies at once; all other changes are fetched. */
export async function recordEvent(
  tx: Tx,
  type: UserEventType,
  event: UserEvent,
  { onApplied, ...recording }: Recording & { onApplied: OnApplied | undefined },
): Promise<void> {
  if (type === 'auth.user.deleted') return await recordDeletion(tx, event, recording);
  await recordChange(tx, event, recording);
  if (type === 'auth.account.access_ended') await recordAccessEnd(tx, event, { ...recording, onApplied });
}
