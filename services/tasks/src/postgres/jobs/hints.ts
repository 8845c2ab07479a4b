import type { JobHints } from '../../app/jobs/ports.ts';

/** The part of a changed job that hints need. */
export type QueuedRow = { queue: string; state: string; rank_at: string; has_dependents?: boolean; is_keyed?: boolean };

/** Sends the hints that follow from jobs which a committed statement changed. */
export function sendHints(hints: JobHints, rows: readonly QueuedRow[]): void {
  const queued = rows.filter(({ state }) => state === 'queued');
  for (const [queue, jobs] of Map.groupBy(queued, (row) => row.queue)) {
    const rankAt = jobs.reduce((least, { rank_at: rank }) => (rank < least ? rank : least), jobs[0]?.rank_at ?? '');
    hints.queued(queue, { count: jobs.length, rankAt });
  }
  const ended = rows.filter(({ state, is_keyed: isKeyed }) => state !== 'queued' && isKeyed === true);
  for (const [queue, jobs] of Map.groupBy(ended, (row) => row.queue)) hints.freed(queue, jobs.length);
  if (rows.some(({ state, has_dependents: isAwaited }) => state === 'scheduled' || isAwaited === true))
    hints.scheduled();
}
