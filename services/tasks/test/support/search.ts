import { query } from '@taskwire/postgres';
import { waitFor } from '@taskwire/testing';
import type { TasksHarness } from './tasks-harness.ts';

/** Numbers of the last changes of tasks and comments. */
type Numbers = { tasks: number; comments: number };

/** Follows the search of a service that its own loop does not keep up to date, or not fast enough for a test. */
export function searchTools({ service, database }: Pick<TasksHarness, 'service' | 'database'>) {
  const numbers = async (text: string): Promise<Numbers> => {
    const [row] = await query<Numbers>(database.db.pool, text);
    if (row === undefined) throw new Error('there is no row');
    return row;
  };
  const progress = async (): Promise<Numbers> =>
    await numbers('SELECT change_no::float8 AS tasks, comment_change_no::float8 AS comments FROM task_search_progress');
  const given = async (): Promise<Numbers> =>
    await numbers(`
      SELECT (SELECT last_value FROM task_changes)::float8 AS tasks,
        (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM comment_changes)::float8 AS comments`);
  return {
    /** The last numbers that the search has indexed. */
    progress,
    /**
     * Resolves when the search has every change that was committed before the call. One round is not enough: it indexes nothing while a transaction
     * that may have got an earlier number is running, be it one of the service's own loops.
     */
    async follow(): Promise<void> {
      const last = await given();
      await waitFor(async () => {
        while ((await service.search.tick()) === 'more');
        const { tasks, comments } = await progress();
        return tasks >= last.tasks && comments >= last.comments;
      });
    },
  };
}
