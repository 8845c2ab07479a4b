import type { Evidence, NotificationRow, RecordedEvent, TaskRow } from '../evidence.ts';
import { compare, firstOccurrences } from './event-order.ts';
import { everDeleted } from './task-history.ts';
import { broken, type Violation } from './violation.ts';

type DatedNotification = NotificationRow & { happenedAt: string };

/** Returns the mails to each user about each task, in the order of their events. Mails about comments have no order. */
export function mailedOfTasks({ events, world }: Evidence): DatedNotification[][] {
  const mailed = new Set(
    world.deliveries.flatMap(({ channel, notification_id: id }) => (channel === 'email' ? [id] : [])),
  );
  const eventOf = new Map(firstOccurrences(events).map((event) => [event.messageId, event]));
  const dated = world.notifications.flatMap((one) => {
    const event: RecordedEvent | undefined = eventOf.get(one.event_id);
    return event === undefined || one.task_id === null || !mailed.has(one.id) || isOfComment(one)
      ? []
      : [{ ...one, happenedAt: event.timestamp }];
  });
  return [...Map.groupBy(dated, ({ user_id, task_id }) => `${user_id} ${task_id}`).values()].map((list) =>
    list.toSorted((a, b) => compare(a.happenedAt, b.happenedAt)),
  );
}

/** Mails to a user about a task arrive in the order of their events, except mails that arrived although their outcome was unknown. */
export function checkMailOrder(evidence: Evidence): Violation[] {
  const { mails, world } = evidence;
  const arrivedAt = new Map(mails.map(({ id }, index) => [id, index] as const).toReversed());
  const isDoubtful = new Set(
    world.deliveries.flatMap(({ notification_id: id, unknown_outcomes }) => (unknown_outcomes > 0 ? [id] : [])),
  );
  return broken(
    'mails about a task arrive in order',
    mailedOfTasks(evidence).map((list) => {
      const arrived = list.filter(({ id }) => arrivedAt.has(id) && !isDoubtful.has(id));
      const at = arrived.findIndex(({ id }, i) => i > 0 && arrivedAt.get(id)! < arrivedAt.get(arrived[i - 1]!.id)!);
      return (
        at > 0 && `notification ${arrived[at]!.id} was mailed before ${arrived[at - 1]!.id}, whose event is earlier`
      );
    }),
  );
}

/**
 * Returns the notifications whose mail may have been omitted, because a later event about the task was to be mailed, or because the notification no
 * longer describes the task.
 */
export function overtaken(evidence: Evidence): Set<string> {
  const tasks = new Map(evidence.world.tasks.map((task) => [task.id, task]));
  const deletedTasks = everDeleted(evidence.world);
  const wasDeleted = ({ task_id: id }: NotificationRow) => deletedTasks.has(id ?? '');
  return new Set([
    ...mailedOfTasks(evidence).flatMap((list) =>
      list
        .filter(
          (one, i) =>
            i < list.length - 1 || isUntrue(one, { task: tasks.get(one.task_id ?? ''), wasDeleted: wasDeleted(one) }),
        )
        .map(({ id }) => id),
    ),
    ...evidence.world.notifications.filter((one) => isOfComment(one) && wasDeleted(one)).map(({ id }) => id),
  ]);
}

export function isOfComment({ type }: Pick<NotificationRow, 'type'>): boolean {
  return type.startsWith('comment.');
}

function isUntrue(
  { type, user_id: userId }: NotificationRow,
  { task, wasDeleted }: { task: TaskRow | undefined; wasDeleted: boolean },
): boolean {
  if (task === undefined) return false;
  const isTheirs = ['assigned', 'in_progress'].includes(task.state) && task.assignee_id === userId;
  if (type === 'task.due_soon' || type === 'task.overdue')
    return wasDeleted || ['completed', 'cancelled'].includes(task.state);
  if (type === 'task.assigned' || type === 'task.unblocked') return wasDeleted || !isTheirs;
  return type === 'task.unassigned' && isTheirs && !task.is_deleted;
}
