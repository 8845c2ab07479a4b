import type { Delivery } from './channel.ts';
import type { Facts, NotificationType } from './notification-types.ts';
import type { FindTaskNow, TaskNow } from './ports.ts';
import { endsWithItsTask } from './rules.ts';

/** What a delivery is worth when its turn comes. `doubt`: why that could not be checked; then it was decided by what was known last. */
export type Rechecked = ({ kind: 'deliver'; facts: Facts } | { kind: 'pointless'; reason: string }) & {
  doubt: string | null;
};

export type Recheck = (delivery: Delivery, signal: AbortSignal) => Promise<Rechecked>;

/**
 * A first attempt follows its event, for which the task was just read: asking again within this time, in milliseconds, would find what may as well change
 * while the mail travels. Retries, whatever waited longer, and whatever is about to be left out always ask.
 */
const recentMs = 2_000;

/**
 * Checks again, right before the handover, what was planned when the event came: a mail that waited may be about a task that somebody else has by now, that
 * has ended or that is gone. The facts have the title that the task has now.
 */
export function recheck({ findTaskNow }: { findTaskNow: FindTaskNow }): Recheck {
  async function check({ type, facts, userId }: Delivery, ...asking: Parameters<FindTaskNow>): Promise<Rechecked> {
    const { now, doubt } = await findTaskNow(...asking);
    if (now === undefined) return { kind: 'deliver', facts, doubt };
    const reason = pointless(type, userId, now);
    return reason === undefined
      ? { kind: 'deliver', facts: factsOf(facts, now), doubt }
      : { kind: 'pointless', reason, doubt };
  }

  return async (delivery, signal) => {
    const { task } = delivery.facts;
    if (task === null) return { kind: 'deliver', facts: delivery.facts, doubt: null };
    if (delivery.attempt === 1) {
      const checked = await check(delivery, task.id, { recentMs, signal });
      if (checked.kind === 'deliver') return checked;
    }
    return await check(delivery, task.id, { recentMs: 0, signal });
  };
}

function factsOf(facts: Facts, now: TaskNow): Facts {
  if (facts.task === null) return facts;
  return { ...facts, task: { ...facts.task, title: now.title ?? facts.task.title, isDeleted: now.kind === 'deleted' } };
}

/**
 * Why there is no use in a notification any more, as things stand with its task; undefined while there is. That something was taken away or has ended stays
 * true; that there is something to be done does not.
 */
export function pointless(type: NotificationType, recipientId: string | null, now: TaskNow): string | undefined {
  if (now.kind === 'deleted') return endsWithItsTask(type) ? 'the task was deleted' : undefined;
  const { state, assigneeId } = now;
  const isOpen = state === 'assigned' || state === 'in_progress';
  if (type === 'task.unassigned')
    return isOpen && assigneeId === recipientId ? 'the task is assigned to the recipient again' : undefined;
  if (type !== 'task.assigned') return undefined;
  if (state === 'completed' || state === 'cancelled') return `the task was ${state}`;
  if (state === 'draft') return 'the task is no longer assigned to anybody';
  return assigneeId !== null && assigneeId !== recipientId ? 'the task is assigned to somebody else' : undefined;
}
