import {
  isoMicros,
  query,
  type Database,
  type Keyset,
  type LastWork,
  type Queryable,
  type Tx,
} from '@taskwire/postgres';
import { injectTrace, logContext } from '@taskwire/telemetry';
import { superseded } from '../app/delivery-log.ts';
import type { NewNotification } from '../app/ports.ts';
import type { Inbox, NotificationView } from '../app/inbox.ts';
import { notificationEntity } from './entities.ts';

/**
 * The time of an event, or the current time if that is earlier, because the clock of the event may be ahead. Null stays null, which `least` would
 * ignore.
 */
function notInTheFuture(time: string): string {
  return `CASE WHEN ${time} IS NOT NULL THEN least(${time}, clock_timestamp()) END`;
}

// A conflict means that this user was already notified of this event or its comment, or already welcomed; then neither the notification nor its
// deliveries are written. A mail to a recipient without an account has a null user, and nulls compare as equal. Waiting deliveries to the same user
// about the same task are superseded: the later one reports the current state. They are locked in every state that may lead to another attempt, so
// that the next step of a worker that holds one either completes before this statement or sees its result. A delivery that is being sent is not
// changed. Earlier notifications are looked up for each given one: OFFSET 0 keeps the subquery from becoming a join. PostgreSQL expects 100 rows from
// each jsonb_to_recordset, and would join 10,000 rows to the whole table. On a channel without a worker, the commit is the delivery, and its attempt
// is logged like any other.
export const insertWithDeliveries = {
  name: 'notifications.insert_with_deliveries',
  text: `
    WITH given AS (
      SELECT * FROM jsonb_to_recordset($1::jsonb) AS g(
        event_id uuid, user_id uuid, type text, task_id uuid, comment_id uuid, actor_id uuid, happened_at timestamptz, template_data jsonb,
        title text, body text, delivery_policy text, channels jsonb, headers json)
    ), inserted AS (
      INSERT INTO notifications (event_id, user_id, type, task_id, comment_id, actor_id, happened_at, template_data, title, body)
      SELECT event_id, user_id, type, task_id, comment_id, actor_id, ${notInTheFuture('happened_at')}, template_data, title, body FROM given
      ON CONFLICT DO NOTHING
      RETURNING id, event_id, user_id, type
    ), planned AS (
      INSERT INTO deliveries (notification_id, channel, delivery_policy, state, attempts, next_attempt_at, headers)
      SELECT inserted.id, c.name, given.delivery_policy, c.state,
        CASE c.state WHEN 'sent' THEN 1 ELSE 0 END,
        CASE c.state WHEN 'sent' THEN NULL ELSE clock_timestamp() END,
        CASE c.state WHEN 'sent' THEN NULL ELSE given.headers END
      FROM inserted JOIN given ON given.event_id = inserted.event_id AND given.type = inserted.type
        AND given.user_id IS NOT DISTINCT FROM inserted.user_id
      CROSS JOIN LATERAL jsonb_to_recordset(given.channels) AS c(name text, state text)
      RETURNING id, state, created_at
    ), earlier AS (
      SELECT d.id, d.state, d.next_attempt_at, d.unknown_outcomes
      FROM deliveries d
      WHERE d.state IN ('pending', 'sending', 'unknown') AND d.id = ANY (ARRAY(
        SELECT previous.id
        FROM given
        CROSS JOIN LATERAL jsonb_to_recordset(given.channels) AS c(name text, state text)
        CROSS JOIN LATERAL (
          SELECT planned.id FROM notifications n JOIN deliveries planned ON planned.notification_id = n.id AND planned.channel = c.name
          WHERE n.task_id = given.task_id AND n.user_id = given.user_id
            AND n.happened_at < ${notInTheFuture('given.happened_at')}
          OFFSET 0
        ) AS previous
      ))
      ORDER BY d.id
      FOR NO KEY UPDATE OF d
    ), superseded AS (
      UPDATE deliveries d
      SET state = CASE WHEN d.unknown_outcomes > 0 THEN 'unknown' ELSE 'skipped' END, next_attempt_at = NULL, last_error = $2, updated_at = clock_timestamp()
      FROM earlier WHERE d.id = earlier.id AND earlier.state <> 'sending' AND earlier.next_attempt_at IS NOT NULL
      RETURNING d.id
    ), ended AS (
      UPDATE delivery_attempts a SET ended_at = clock_timestamp(), outcome = 'skipped', detail = $2
      FROM superseded WHERE a.delivery_id = superseded.id AND a.ended_at IS NULL
    ), logged AS (
      INSERT INTO delivery_attempts (delivery_id, number, started_at, ended_at, outcome, detail)
      SELECT id, 1, created_at, clock_timestamp(), 'sent', 'with the commit' FROM planned WHERE state = 'sent'
    )
    SELECT id FROM inserted`,
};

/** Writes notifications, and wakes their delivery once they are committed. Returns the number written. */
export function notificationWriter(wakeDelivery: () => void) {
  return async (tx: Tx, notifications: readonly NewNotification[]): Promise<number> => {
    tx.afterCommit(wakeDelivery);
    return await writeNotifications(tx, notifications);
  };
}

/**
 * Like `notificationWriter`, but all notifications of one transaction are written together at its end: the effects of many messages share a
 * transaction, and one statement for all of them costs a fraction of one for each.
 */
export function notificationsAtCommit(wakeDelivery: () => void) {
  const waiting = new WeakMap<Tx, GivenNotification[]>();
  const writeWaiting: LastWork = {
    // the only last work of this service
    order: 1,
    async run(tx) {
      for (const together of withoutChains(waiting.get(tx) ?? [])) await insertGiven(tx, together);
    },
  };
  return (tx: Tx, notifications: readonly NewNotification[]): void => {
    if (notifications.length === 0) return;
    const given = waiting.get(tx) ?? [];
    given.push(...toGiven(notifications));
    waiting.set(tx, given);
    tx.beforeCommit(writeWaiting);
    tx.afterCommit(wakeDelivery);
  };
}

/**
 * Writes notifications with their deliveries in one statement. Notifications that already exist stay unchanged, and a
 * user isn't welcomed twice. Returns the number written.
 */
export async function writeNotifications(db: Queryable, notifications: readonly NewNotification[]): Promise<number> {
  return notifications.length === 0 ? 0 : await insertGiven(db, toGiven(notifications));
}

async function insertGiven(db: Queryable, given: readonly GivenNotification[]): Promise<number> {
  const values = [JSON.stringify(inLockOrder(given)), superseded];
  return (await query(db, { ...insertWithDeliveries, values })).length;
}

type GivenNotification = ReturnType<typeof toGiven>[number];

/** Converts notifications to rows of `given`, with the trace and the request id of the current work. */
function toGiven(notifications: readonly NewNotification[]) {
  const headers = { ...injectTrace(), correlation_id: logContext().request_id };
  return notifications.map((one) => ({
    event_id: one.eventId,
    user_id: one.userId,
    type: one.type,
    task_id: one.taskId,
    comment_id: one.commentId,
    actor_id: one.actorId,
    happened_at: one.happenedAt,
    template_data: one.templateData,
    title: one.content?.title ?? null,
    body: one.content?.body ?? null,
    delivery_policy: one.deliveryPolicy,
    channels: one.channels,
    headers,
  }));
}

/**
 * Sorts notifications of comments, and puts them first. Each waits for a concurrent one to the same user about the same comment: without a common
 * order, two transactions could wait for each other.
 */
function inLockOrder(given: readonly GivenNotification[]): GivenNotification[] {
  const [others, ofComments] = [given.filter(isOfNoComment), given.filter((one) => !isOfNoComment(one))];
  const key = ({ comment_id, user_id }: GivenNotification) => `${comment_id} ${user_id}`;
  // stable: of two notifications of one comment, the first is written
  return [...ofComments.toSorted((a, b) => (key(a) < key(b) ? -1 : Number(key(a) > key(b)))), ...others];
}

function isOfNoComment({ comment_id }: GivenNotification): boolean {
  return comment_id === null;
}

/**
 * Divides notifications, in order, into groups of which each contains at most one notification to the same user about the same task: a statement does
 * not see the rows that it inserts, so the later notification would not supersede the earlier one. Those without an order are all in the first group.
 */
function withoutChains(given: readonly GivenNotification[]): GivenNotification[][] {
  let last = { members: given.filter(({ happened_at }) => happened_at === null), chains: new Set<string>() };
  const groups = [last];
  for (const one of given) {
    if (one.happened_at === null) continue;
    const chain = `${one.task_id} ${one.user_id}`;
    if (last.chains.has(chain)) {
      last = { members: [], chains: new Set() };
      groups.push(last);
    }
    last.members.push(one);
    last.chains.add(chain);
  }
  return groups.map(({ members }) => members);
}

const view = `
  id, type, title, body, task_id,
  ${isoMicros('seen_at')} AS seen_at, ${isoMicros('read_at')} AS read_at, ${isoMicros('archived_at')} AS archived_at,
  ${isoMicros('created_at')} AS created_at`;

const newestFirst = {
  direction: 'DESC',
  columns: {
    created_at: { sql: 'notifications.created_at', type: 'timestamptz' },
    id: { sql: 'notifications.id', type: 'uuid' },
  },
} as const satisfies Keyset;

export const countUnread = {
  name: 'notifications.count_unread',
  text: 'SELECT count(*)::int AS unread FROM notifications WHERE user_id = $1 AND read_at IS NULL AND title IS NOT NULL',
};

// keeps the time of the first request, no matter how often the request is repeated
export const markRead = {
  name: 'notifications.mark_read',
  text: `
    UPDATE notifications
    SET read_at = coalesce(read_at, now()), seen_at = coalesce(seen_at, now())
    WHERE id = $1 AND user_id = $2 AND title IS NOT NULL
    RETURNING ${view}`,
};

// locks rows in the order of their ids to prevent deadlocks between concurrent calls
const readAll = `
  WITH unread AS (
    SELECT id FROM notifications WHERE user_id = $1 AND read_at IS NULL AND title IS NOT NULL ORDER BY id FOR UPDATE
  ), done AS (
    UPDATE notifications n SET read_at = now(), seen_at = coalesce(seen_at, now())
    FROM unread WHERE n.id = unread.id AND n.read_at IS NULL
    RETURNING n.id
  )
  SELECT count(*)::int AS read FROM done`;

/** The in-app inbox in PostgreSQL. */
export function notificationInbox(db: Pick<Database, 'query' | 'list'>): Inbox {
  return {
    async list({ userId, unread }, place) {
      // a notification that is only mailed has no title, and is not listed
      const list = db
        .list(notificationEntity, 'notifications')
        .prepared('notifications.list')
        .where('notifications.user_id = :userId', { userId })
        .where('notifications.title IS NOT NULL');
      if (unread === undefined) return await list.page(newestFirst, place);
      return await list.where(`notifications.read_at IS ${unread ? '' : 'NOT '}NULL`).page(newestFirst, place);
    },
    async countUnread(userId) {
      const [row] = await db.query<{ unread: number }>({ ...countUnread, values: [userId] });
      return row?.unread ?? 0;
    },
    async read(userId, id) {
      const [row] = await db.query<NotificationView>({ ...markRead, values: [id, userId] });
      return row;
    },
    async readAll(userId) {
      const [row] = await db.query<{ read: number }>(readAll, [userId]);
      return row?.read ?? 0;
    },
  };
}
