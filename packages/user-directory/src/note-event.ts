import type { Tx } from '@taskwire/postgres';
import type { OnApplied } from './advance.ts';
import { noteAccessEnd, noteDeletion } from './claims.ts';
import { noteChange, type UserEvent, type UserEventType } from './events.ts';

/** Records an event in the caller's transaction: its effect on access applies at once, everything else is fetched. */
export async function noteEvent(
  tx: Tx,
  type: UserEventType,
  event: UserEvent,
  { gapMs, onApplied }: { gapMs: number; onApplied: OnApplied | undefined },
): Promise<void> {
  if (type === 'auth.user.deleted') return await noteDeletion(tx, event, gapMs);
  await noteChange(tx, event, gapMs);
  if (type === 'auth.account.access_ended') await noteAccessEnd(tx, event, onApplied);
}
