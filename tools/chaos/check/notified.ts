import type { Evidence, NotificationRow, RecordedEvent } from '../evidence.ts';
import { compare, firstOccurrences, label } from './event-order.ts';
import { isOfComment } from './mail-order.ts';
import { everDeleted, taskHistories } from './task-history.ts';
import { broken, type Violation } from './violation.ts';

/** `may`: whether the notification exists depends on circumstances that the checker does not know. */
type Expected = { type: string; userId: string; need: 'must' | 'may' };

type Audience = 'named' | 'creator';

/**
 * The recipients of each event's notification. If the task was deleted before the recipients could be notified, some notifications are no longer
 * needed: those about new work, and all those about a task of which no user had been notified before.
 */
export const taskNotices: Record<string, { audience: Audience[]; ofDeletedToo: Audience[] }> = {
  'tasks.task.assigned': { audience: ['named'], ofDeletedToo: [] },
  'tasks.task.unassigned': { audience: ['named'], ofDeletedToo: ['named'] },
  'tasks.task.started': { audience: ['creator'], ofDeletedToo: [] },
  'tasks.task.completed': { audience: ['creator'], ofDeletedToo: [] },
  'tasks.task.cancelled': { audience: ['creator', 'named'], ofDeletedToo: ['named'] },
  'tasks.task.unblocked': { audience: ['named'], ofDeletedToo: [] },
  'tasks.task.due_soon': { audience: ['named'], ofDeletedToo: [] },
  'tasks.task.overdue': { audience: ['creator', 'named'], ofDeletedToo: [] },
};

/** Events that notify a user about a change to the user's account, with the type of the notification. */
export const accountNotices: Readonly<Record<string, string>> = {
  'auth.account.role_changed': 'security.role_changed',
  'auth.account.deleted': 'security.account_deleted',
  'auth.account.restored': 'security.account_restored',
  'auth.account.admin_added': 'security.admin_added',
};

export const linkNotices = {
  verify_email: 'security.verify_email',
  reset_password: 'security.reset_password',
} as const;

/**
 * Each recipient has exactly one in-app notification for each event, or for all events of one comment, and the actor has none. Notifications about a
 * task are in the order of its events.
 */
export function checkNotified({ events, injections, world }: Evidence): Violation[] {
  const tasks = new Map(world.tasks.map((task) => [task.id, task]));
  const histories = taskHistories({ world });
  const deletedTasks = everDeleted(world);
  const links = new Map(world.links.map((link) => [link.id, link]));
  const isDeleted = new Map(world.users.map((user) => [user.id, user.is_deleted]));
  const published = firstOccurrences(events);
  // a user who was found before the event of the creation arrived has been welcomed without it
  const creations = new Map(
    published.flatMap(({ type, aggregateId, messageId }) =>
      type === 'auth.user.created' ? [[aggregateId, messageId]] : [],
    ),
  );
  const eventOf = ({ type, user_id, event_id }: NotificationRow) =>
    type === 'user.welcome' && event_id === user_id ? (creations.get(user_id) ?? event_id) : event_id;
  const byEvent = Map.groupBy(world.notifications, eventOf);
  const poison = new Set(injections.flatMap((one) => (one.kind === 'poison' ? [one.messageId] : [])));
  const publishedIds = new Set(published.map(({ messageId }) => messageId));
  const strays = world.notifications.filter((one) => !publishedIds.has(eventOf(one)) && !poison.has(one.event_id));

  const receivedAt = new Map(world.inbox.map((row) => [`${row.service} ${row.message_id}`, row.received_at]));
  const notifiedOf = Map.groupBy(world.notifications, ({ task_id }) => task_id);

  /** Whether any user had been notified of the task by the time the event was received. */
  function isKnown(event: RecordedEvent): boolean {
    const received = receivedAt.get(`notifications ${event.messageId}`) ?? '';
    return (notifiedOf.get(event.aggregateId) ?? []).some(({ created_at }) => created_at < received);
  }

  const need = (userId: string, sure: boolean) => (isDeleted.get(userId) === false && sure ? 'must' : 'may');

  function expected(event: RecordedEvent): Expected[] {
    if (event.type === 'auth.user.created')
      return [{ type: 'user.welcome', userId: event.aggregateId, need: need(event.aggregateId, true) }];
    const notice = accountNotices[event.type];
    if (notice !== undefined && event.named !== null) {
      // the former owner of a deleted account is notified only of the deletion
      const isSure = notice === 'security.account_deleted';
      return [{ type: notice, userId: event.named, need: isSure ? 'must' : need(event.named, true) }];
    }
    const link = links.get(event.aggregateId);
    if (link !== undefined)
      return [{ type: linkNotices[link.purpose], userId: link.user_id, need: need(link.user_id, true) }];
    if (isEventOfComment(event)) return expectedOfComment(event);
    const rule = taskNotices[event.type];
    const task = tasks.get(event.aggregateId);
    if (rule === undefined || task === undefined) return [];
    const people = { named: event.named, creator: task.creator_id };
    const sure = (audience: Audience) =>
      !deletedTasks.has(task.id) || (rule.ofDeletedToo.includes(audience) && isKnown(event));
    const expectedOf = new Map<string, Expected>();
    for (const audience of rule.audience) {
      const userId = people[audience];
      if (userId === null || userId === event.actor) continue;
      const one = { type: event.type.replace('tasks.', ''), userId, need: need(userId, sure(audience)) } as const;
      if (expectedOf.get(userId)?.need !== 'must') expectedOf.set(userId, one);
    }
    return [...expectedOf.values()];
  }

  /**
   * The notifications that the event causes for users who were not notified of the comment yet. A user who is mentioned is not also notified of the
   * comment. The performer is the assignee when the event was handled.
   */
  function expectedOfComment({ type, task: taskId = '', timestamp, actor, mentioned = [] }: RecordedEvent): Expected[] {
    const history = histories.get(taskId);
    if (history === undefined || type === 'tasks.comment.deleted') return [];
    const { task, versions } = history;
    const isSure = !deletedTasks.has(taskId);
    const expectedOf = new Map<string, Expected>();
    const expect = (notice: string, userId: string | null, isCertain: boolean) => {
      if (userId === null || userId === actor || expectedOf.has(userId)) return;
      expectedOf.set(userId, { type: notice, userId, need: need(userId, isCertain) });
    };
    for (const id of mentioned) expect('comment.mentioned', id, isSure);
    if (type === 'tasks.comment.changed') return [...expectedOf.values()];
    expect('comment.added', task.creator_id, isSure);
    const current = versions.findLast(({ at }) => at <= timestamp);
    const later = versions.filter(({ at }) => at > timestamp);
    const performers = new Set([current, ...later].map((version) => version?.assigneeId ?? null));
    for (const id of performers) expect('comment.added', id, isSure && performers.size === 1);
    return [...expectedOf.values()];
  }

  return [
    ...broken(
      'each recipient is notified once',
      strays.map(
        (one) => `notification ${one.id} (${one.type}) is about message ${one.event_id}, which no service published`,
      ),
    ),
    ...broken(
      'each recipient is notified once',
      together(published).flatMap((subject) => {
        const written = subject.flatMap(({ messageId }) => byEvent.get(messageId) ?? []);
        return compareNotified(
          subject,
          subject.flatMap((event) => expected(event).map((one) => ({ ...one, event }))),
          written,
        );
      }),
    ),
    ...broken(
      'inboxes keep the order of the activity log',
      outOfOrder(published, world.notifications, movedBy(injections)),
    ),
  ];
}

function isEventOfComment({ type }: RecordedEvent): boolean {
  return type.startsWith('tasks.comment.');
}

/** Groups the events of each comment, of which a user is notified once. Every other event is alone. */
function together(published: readonly RecordedEvent[]): RecordedEvent[][] {
  const subject = (event: RecordedEvent) => (isEventOfComment(event) ? event.aggregateId : event.messageId);
  return [...Map.groupBy(published, subject).values()];
}

/** Compares the notifications of events that notify each user once, by any one of the expected notifications. */
function compareNotified(
  events: readonly RecordedEvent[],
  expected: readonly (Expected & { event: RecordedEvent })[],
  written: readonly NotificationRow[],
): (string | false)[] {
  const isExpected = (row: NotificationRow) =>
    expected.some(({ type, userId, event }) => {
      // a welcome that came without the event of the creation has another id
      const isOfEvent = events.length === 1 || row.event_id === event.messageId;
      return isOfEvent && type === row.type && userId === row.user_id;
    });
  const [right, uncalledFor] = [written.filter(isExpected), written.filter((row) => !isExpected(row))];
  const about = events.map(label).join(', ');
  return [
    ...[...Map.groupBy(expected, ({ userId }) => userId)].map(([userId, possible]) => {
      const found = right.filter((row) => row.user_id === userId).length;
      const isRight = found === 1 || (found === 0 && possible.every(({ need }) => need === 'may'));
      const types = [...new Set(possible.map(({ type }) => type))].join(' or ');
      return !isRight && `${userId} was notified ${found} times (${types}) of ${about}`;
    }),
    ...uncalledFor.map((one) => `${one.user_id} must not be notified (${one.type}) of ${about}`),
  ];
}

function movedBy(injections: Evidence['injections']): Set<string> {
  return new Set(
    injections.flatMap((one) => (one.kind === 'reorder' && one.to === 'notifications' ? one.messageIds : [])),
  );
}

/** Describes where the order of a user's notifications about one task differs from the order of the events. */
function outOfOrder(
  published: readonly RecordedEvent[],
  notifications: readonly NotificationRow[],
  moved: ReadonlySet<string>,
): (string | false)[] {
  const eventOf = new Map(published.map((event) => [event.messageId, event]));
  const notified = notifications.flatMap((one) => {
    const event = eventOf.get(one.event_id);
    const isOrdered = one.task_id !== null && !isOfComment(one) && !moved.has(one.event_id);
    return event === undefined || !isOrdered ? [] : [{ ...one, event }];
  });
  return [...Map.groupBy(notified, ({ user_id, task_id }) => `${user_id} ${task_id}`).values()].map((list) => {
    const asHappened = list.toSorted((a, b) => compare(a.event.timestamp, b.event.timestamp));
    const at = asHappened.findIndex(({ created_at }, i) => i > 0 && created_at < asHappened[i - 1]!.created_at);
    return (
      at > 0 &&
      `${asHappened[at]!.user_id} reads ${label(asHappened[at]!.event)} before ${label(asHappened[at - 1]!.event)}`
    );
  });
}
