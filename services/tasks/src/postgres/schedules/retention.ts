import { deleteInBatches, type RetentionRule } from '@taskwire/postgres';

/** Removes decided occurrences, and deleted schedules once their occurrences are removed. */
export function scheduleRetention(days: number): RetentionRule[] {
  return [
    deleteInBatches({
      table: 'schedule_occurrences',
      keeps: `${days} days (OCCURRENCE_DAYS)`,
      because:
        'they show what ran and why the rest did not, and keep a backfill, which looks back 30 days, from running an occurrence twice',
      where: 'decided_at < now() - make_interval(days => $1::integer)',
      values: () => [days],
      orderBy: 'decided_at',
      dueAt: 'decided_at + make_interval(days => $1::integer)',
      // about 10 ms of work
      batch: 1_000,
    }),
    deleteInBatches({
      table: 'schedules',
      keeps: `${days + 1} days after it was deleted, a day longer than its occurrences; for as long as it is not deleted`,
      because: 'its occurrences refer to it; schedules that are not deleted belong to their users',
      where: `
        deleted_at < now() - make_interval(days => $1::integer + 1)
        AND NOT EXISTS (SELECT FROM schedule_occurrences occurrence WHERE occurrence.schedule_id = schedules.id)`,
      values: () => [days],
      orderBy: 'deleted_at',
      dueAt: 'deleted_at + make_interval(days => $1::integer + 1)',
      batch: 1_000,
    }),
  ];
}
