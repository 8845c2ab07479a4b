import type { Evidence } from '../../evidence.ts';
import { firstOccurrences } from '../event-order.ts';
import { broken, type Violation } from '../violation.ts';

/** Reminders may be seconds late, and the last events may follow the last requests by seconds. */
const lateMs = 15_000;

/** Each due date of a task has one reminder of each kind, which published one event or was skipped. */
export function checkReminders({ events, world }: Evidence): Violation[] {
  const reminded = firstOccurrences(events).filter(({ type }) => /\.(due_soon|overdue)$/.test(type));
  const sent = Map.groupBy(reminded, ({ type, aggregateId, instant }) =>
    keyOf(aggregateId, type.replace('tasks.task.', ''), instant ?? ''),
  );
  const logged = Map.groupBy(
    world.activity.filter(({ action }) => action === 'due_soon' || action === 'overdue'),
    ({ task_id, action, to }) => keyOf(task_id, action, String(to)),
  );
  const rows = new Map(world.reminders.map((row) => [keyOf(row.task_id, row.kind, row.due_at), row]));
  const lastMs = Math.max(0, ...events.map(({ timestamp }) => Date.parse(timestamp)));
  return broken('reminders are sent once', [
    ...[...sent].map(([key, all]) => all.length > 1 && `${key}: ${all.length} events`),
    ...[...logged].map(([key, all]) => all.length > 1 && `${key}: ${all.length} entries in the activity log`),
    ...[...sent.keys()].map((key) => rows.get(key)?.state !== 'sent' && `${key}: sent, and not recorded as sent`),
    ...[...rows].map(
      ([key, { state }]) => state === 'sent' && !sent.has(key) && `${key}: recorded as sent, without an event`,
    ),
    ...world.tasks.map(({ id, due_at, state, is_deleted }) => {
      const isOpen = !is_deleted && state !== 'completed' && state !== 'cancelled';
      if (!isOpen || due_at === null || Date.parse(due_at) > lastMs - lateMs) return false;
      return !sent.has(keyOf(id, 'overdue', due_at)) && `task ${id} was due at ${due_at}, and no event said so`;
    }),
  ]);
}

function keyOf(taskId: string, kind: string, dueAt: string): string {
  return `${kind} of task ${taskId} at ${dueAt}`;
}
