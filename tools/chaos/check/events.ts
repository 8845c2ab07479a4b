import type { Evidence, LinkRow, RecordedEvent, UserRow } from '../evidence.ts';
import { checkCommentEvents, commentHistories } from './comments.ts';
import { compare, firstOccurrences, label } from './event-order.ts';
import { checkJobEvents } from './jobs/job-events.ts';
import { checkSkips } from './jobs/occurrences.ts';
import { accountNotices } from './notified.ts';
import { taskHistories, type TaskHistory } from './task-history.ts';
import { broken, type Violation } from './violation.ts';

/** Every committed change was published, with one message id for each of its events, and the events of each aggregate were published in order. */
export function checkEvents(evidence: Evidence): Violation[] {
  const { world } = evidence;
  const {
    ends = [],
    notices = [],
    others = [],
  } = Object.groupBy(firstOccurrences(evidence.events), ({ type }) => {
    if (type === 'auth.account.access_ended') return 'ends';
    return type in accountNotices ? 'notices' : 'others';
  });
  const published = Map.groupBy(others, ({ aggregateId }) => aggregateId);
  const rows = [...world.tasks, ...world.users, ...world.links, ...world.jobs, ...world.schedules];
  const known = new Set([...rows.map(({ id }) => id), ...commentHistories(world).keys()]);
  const unknownAggregates = [...published.keys()].filter((id) => !known.has(id));
  return [
    ...broken('every change is published once', changedCopies(evidence.events)),
    ...broken(
      'every change is published once',
      unknownAggregates.map((id) => `events name ${id}, which does not exist`),
    ),
    ...[...taskHistories(evidence).values()].flatMap((history) =>
      checkTask(history, published.get(history.task.id) ?? []),
    ),
    ...world.users.flatMap((user) => checkUser(user, published.get(user.id) ?? [])),
    ...broken(
      'every change is published once',
      world.links.map((link) => unpublishedLink(link, published.get(link.id) ?? [])),
    ),
    ...broken(
      'every change is published once',
      world.users.map((user) => unannouncedEnd(user, ends)),
    ),
    ...checkCommentEvents(world, published),
    ...checkJobEvents(evidence, published),
    ...checkSkips(evidence, published),
    ...broken('every change is published once', faultyNotices(world.users, notices, published)),
    ...broken('events of one aggregate are published in order', [...published].map(outOfOrder)),
  ];
}

function changedCopies(events: readonly RecordedEvent[]): (string | false)[] {
  return [...Map.groupBy(events, ({ messageId }) => messageId)].map(
    ([id, copies]) =>
      new Set(copies.map(({ at: _, ...content }) => JSON.stringify(content))).size > 1 &&
      `message ${id} was published with two different contents`,
  );
}

function outOfOrder([id, events]: [string, RecordedEvent[]]): string | false {
  const at = events.findIndex(({ timestamp }, index) => index > 0 && timestamp <= events[index - 1]!.timestamp);
  return at > 0 && `${id}: ${label(events[at]!)} was published after ${label(events[at - 1]!)}`;
}

/** Compares the published events, by their times, with the events that the activity log requires. */
function checkTask(
  { task, versions, reminders, waits }: TaskHistory,
  published: readonly RecordedEvent[],
): Violation[] {
  const changes = [
    ...versions,
    ...reminders.map((reminder) => ({ ...reminder, version: 'a reminder', actor: null })),
    ...waits.map((wait) => ({ ...wait, version: 'a dependency' })),
  ];
  const expected = changes
    .toSorted((a, b) => compare(a.at, b.at))
    .flatMap(({ version, actor, expectedEvents, at }) =>
      expectedEvents.map((event) => ({ ...event, version, actor, at })),
    );
  const actual = published.toSorted((a, b) => compare(a.timestamp, b.timestamp));
  const same = (one: (typeof expected)[number] | undefined, other: RecordedEvent | undefined) =>
    one?.type === other?.type && one?.named === other?.named && one?.actor === other?.actor;
  const longest = Math.max(expected.length, actual.length);
  const place = Array.from({ length: longest }, (_, index) => index).find((i) => !same(expected[i], actual[i]));
  if (place !== undefined) {
    const [wanted, got] = [expected[place], actual[place]];
    const text = `task ${task.id}: event ${place + 1} of ${expected.length} should be ${wanted ? `${wanted.type} (version ${wanted.version})` : 'none'}, it is ${got ? label(got) : 'missing'}`;
    return broken('every change is published once', [text]);
  }
  const apart = expected.findIndex(({ at }, i) => Math.abs(Date.parse(actual[i]!.timestamp) - Date.parse(at)) > 1);
  return broken('every change is published once', [
    apart >= 0 &&
      `task ${task.id}: ${label(actual[apart]!)} does not have the time of its change (${expected[apart]!.at})`,
  ]);
}

/** A user's version is the number of changes. Each change is announced, starting with the creation; a deletion is the last. */
function checkUser(user: UserRow, published: readonly RecordedEvent[]): Violation[] {
  const actual = published.toSorted((a, b) => compare(a.timestamp, b.timestamp));
  const expected = Array.from({ length: user.version }, (_, index) => {
    if (index === 0) return 'auth.user.created';
    return user.is_deleted && index === user.version - 1 ? 'auth.user.deleted' : 'auth.user.changed';
  });
  const got = actual.map(({ type }) => type);
  const text = `user ${user.id} (${user.email}), version ${user.version}: events ${got.join(', ')}`;
  return broken('every change is published once', [
    got.join() !== expected.join() && text,
    got.join() === expected.join() &&
      actual.at(-1)!.timestamp !== user.updated_at &&
      `${text}; the last has another time`,
  ]);
}

/** An end of access is announced once, with its time; if the cause is a deletion, the event of the deletion announces it. */
function unannouncedEnd(user: UserRow, ends: readonly RecordedEvent[]): string | false {
  const times = ends.filter(({ named }) => named === user.id).map(({ timestamp }) => timestamp);
  const last = times.toSorted(compare).at(-1) ?? null;
  const isAnnounced = (user.is_deleted || last === user.tokens_valid_after) && new Set(times).size === times.length;
  return (
    !isAnnounced &&
    `user ${user.id}: access ended at ${user.tokens_valid_after}; the announced times are ${times.join(', ') || 'none'}`
  );
}

/** Each event about an account has the time of a change to its user. Each deletion has exactly one event that notifies the former owner. */
function faultyNotices(
  users: readonly UserRow[],
  notices: readonly RecordedEvent[],
  published: ReadonlyMap<string, RecordedEvent[]>,
): (string | false)[] {
  const known = new Map(users.map((user) => [user.id, user]));
  const ofUser = Map.groupBy(notices, ({ named }) => named ?? '');
  return [
    ...notices.map((notice) => {
      if (!known.has(notice.named ?? '')) return `${label(notice)} notifies ${notice.named}, who does not exist`;
      const same = notices.filter(({ type, named, timestamp }) => {
        return type === notice.type && named === notice.named && timestamp === notice.timestamp;
      });
      const changes = published.get(notice.named ?? '') ?? [];
      // a new admin is not notified of their own promotion
      const isOfChange =
        notice.type === 'auth.account.admin_added' || changes.some((one) => one.timestamp === notice.timestamp);
      return (same.length > 1 || !isOfChange) && `${label(notice)} notifies ${notice.named} of no change, or twice`;
    }),
    ...users.map(({ id, is_deleted, updated_at }) => {
      const times = (ofUser.get(id) ?? []).flatMap((one) =>
        one.type === 'auth.account.deleted' ? [one.timestamp] : [],
      );
      const isRight = is_deleted ? times.join() === updated_at : times.length === 0;
      return !isRight && `user ${id}: notified of deletions at ${times.join(', ') || 'no time'}`;
    }),
  ];
}

const linkEvents = {
  verify_email: 'auth.account.verification_requested',
  reset_password: 'auth.account.password_reset_requested',
} as const;

/** Auth announces each link to be mailed once, with the time of its creation. */
function unpublishedLink(
  { id, user_id, purpose, created_at }: LinkRow,
  published: readonly RecordedEvent[],
): string | false {
  const [first, ...others] = published;
  const isAnnounced = first?.type === linkEvents[purpose] && first.timestamp === created_at && others.length === 0;
  return !isAnnounced && `the link ${id} (${purpose}) of ${user_id}: events ${published.map(label).join(', ')}`;
}
