import type { TaskProgress } from './definition.ts';

/** Why a task that a performer was notified of is no longer theirs to do; undefined if it still is. */
export function noLongerTheirs({ state, assigneeId }: TaskProgress, recipientId: string | null): string | undefined {
  if (state === 'completed' || state === 'cancelled') return `the task was ${state}`;
  if (state === 'draft') return 'the task is no longer assigned to anyone';
  return assigneeId !== null && assigneeId !== recipientId ? 'the task is assigned to someone else' : undefined;
}
