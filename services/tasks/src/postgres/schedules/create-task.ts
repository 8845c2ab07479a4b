import { runWithEvents } from '@taskwire/outbox';
import { query } from '@taskwire/postgres';
import type { ScheduleWrites } from '../../app/schedules/ports.ts';
import { creationValues, scheduledCreationSql } from '../create.ts';
import type { PerformerSql } from '../performer-sql.ts';

const awaitPerformer = 'UPDATE tasks SET awaiting_performer = true WHERE id = $1';

/** Creates tasks with given ids. The system is the actor of their events, so that a creator who is assigned their own task is notified of it. */
export function creatingScheduledTasks(
  performer: PerformerSql,
): Pick<ScheduleWrites, 'insertScheduledTask' | 'awaitPerformer'> {
  const { draft, assigned } = scheduledCreationSql(performer);
  return {
    async insertScheduledTask(tx, task, { id, reason }) {
      const statement = task.assignee_id === null ? draft : assigned;
      const values = [...creationValues(task, reason), id];
      return (await runWithEvents(tx, { ...statement, values })).length === 1;
    },
    awaitPerformer: async (tx, taskId) => void (await query(tx, awaitPerformer, [taskId])),
  };
}
