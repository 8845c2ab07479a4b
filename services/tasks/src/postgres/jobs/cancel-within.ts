import { eventHeaders, runWithEvents } from '@taskwire/outbox';
import type { Tx } from '@taskwire/postgres';
import type { TaskWrites } from '../../app/ports.ts';
import { jobEventsSql } from './events.ts';

/**
 * Cancels a job that this transaction has locked, even if it is dead. A leased job gets `cancel_requested` instead; if $4 is true, it ends as
 * cancelled however its worker settles it. No hint is needed: a job without a lease frees no place, and the promoter finds the jobs that wait for it.
 * The statement changes no task either: the job of a task is cancelled together with its task.
 */
const cancelWithin = `
  WITH changed AS (
    UPDATE jobs SET
      state = CASE WHEN fence IS NULL THEN 'cancelled' ELSE 'leased' END,
      cancel_requested = true,
      cancel_is_final = $4,
      reason = CASE WHEN fence IS NULL THEN 'requested' ELSE reason END,
      settled_at = CASE WHEN fence IS NULL THEN clock_timestamp() END,
      holds_key = holds_key AND (fence IS NOT NULL OR unique_until > clock_timestamp()) IS TRUE
    WHERE id = $1 AND state NOT IN ('succeeded', 'cancelled')
    RETURNING *
  ), audited AS (
    INSERT INTO job_audit (job_id, action, actor) SELECT id, 'cancel', $2 FROM changed
  ), emitted AS (${jobEventsSql({ changed: 'changed', actor: '$3::uuid', headers: '$5' })}
  )
  SELECT id FROM changed`;

type By = { name: string; userId: string | null; isFinal: boolean };

/** Cancels a job in a transaction that has locked it. `isFinal`: the job ends as cancelled however its worker settles it. */
export async function cancelJobWithin(tx: Tx, jobId: string, { name, userId, isFinal }: By): Promise<void> {
  await runWithEvents(tx, { text: cancelWithin, values: [jobId, name, userId, isFinal, eventHeaders()] });
}

export const cancelJobOf: TaskWrites['cancelJobOf'] = async (tx, { job_id: id }, actorId) => {
  if (id !== null) await cancelJobWithin(tx, id, { name: `user:${actorId}`, userId: actorId, isFinal: true });
};
