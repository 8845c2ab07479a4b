import { eventHeaders, runWithEvents } from '@taskwire/outbox';
import type { Tx } from '@taskwire/postgres';

/** The function is in migration 0032, because tasks that follow their jobs end in the database. */
export const unblockTasks = { name: 'tasks.unblock', text: 'SELECT unblock_tasks($1, $2, $3) AS count' };

/** Announces the tasks whose last open blocker was among these, which this transaction has ended. */
export async function unblock(tx: Tx, ended: readonly string[], actorId: string | null): Promise<void> {
  await runWithEvents(tx, { ...unblockTasks, values: [ended, actorId, eventHeaders()] });
}
