import type { JobHints } from '../../app/jobs/ports.ts';

/** The part of a changed job that hints need. */
export type QueuedRow = {
  queue: string;
  state: string;
  rank_at: string;
  concurrency_key: string | null;
  has_dependents?: boolean;
};

/** Sends the hints that follow from jobs which a committed statement changed. */
export function sendHints(hints: JobHints, rows: readonly QueuedRow[]): void {
  const queued = rows.filter(({ state }) => state === 'queued');
  for (const [queue, jobs] of Map.groupBy(queued, (row) => row.queue)) {
    hints.queued(
      queue,
      jobs.map(({ concurrency_key: key, rank_at: rankAt }) => ({ key, rankAt })),
    );
  }
  const ended = rows.filter(({ state, concurrency_key: key }) => state !== 'queued' && key !== null);
  for (const [queue, jobs] of Map.groupBy(ended, (row) => row.queue)) hints.freed(queue, jobs.length);
  if (rows.some(({ state, has_dependents: isAwaited }) => state === 'scheduled' || isAwaited === true))
    hints.scheduled();
}
