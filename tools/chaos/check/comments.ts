import type { ActivityRow, Answer, CommentRow, Evidence, Operation, RecordedEvent, World } from '../evidence.ts';
import type { CommentIntent } from '../workload/intent.ts';
import { compare, label } from './event-order.ts';
import { isOfComment } from './task-history.ts';
import { broken, type Violation } from './violation.ts';

type CommentOperation = Operation & { intent: CommentIntent };

/** The entries about each comment in the activity log of its task, in order, by the id of the comment. The n-th entry made version n. */
export function commentHistories({ activity }: Pick<World, 'activity'>): Map<string, ActivityRow[]> {
  const entries = activity.filter(isOfComment).toSorted((a, b) => a.seq - b.seq);
  return Map.groupBy(entries, ({ from, to }) => String(to ?? from));
}

/**
 * Every acknowledged write of a comment is in the activity log of its task and in the comment, exactly once. A write without a response is there at most
 * once.
 */
export function checkComments({ operations, world }: Evidence): Violation[] {
  const histories = commentHistories(world);
  const stored = new Map(world.comments.map((comment) => [comment.id, comment]));
  const named = Map.groupBy(world.comments, ({ body }) => body.split(' ')[0]);
  const writes = operations.filter(isOfComments);
  const ofComment = Map.groupBy(
    writes.filter(({ intent }) => intent.kind !== 'add_comment'),
    ({ subjectId }) => subjectId ?? '',
  );
  return [
    ...broken('acknowledged changes persist', [
      ...world.comments.map((comment) => storedState(comment, histories.get(comment.id) ?? [])),
      ...[...histories].map(([id, entries]) => !stored.has(id) && missing(id, entries)),
      ...writes.flatMap((operation) => lostWrite(operation, { histories, stored })),
    ]),
    ...broken('nothing happens twice', [
      ...writes.map((operation) => repeated(operation, named)),
      ...[...histories].map(([id, entries]) => tooMany(id, entries, ofComment.get(id) ?? [])),
    ]),
    ...broken(
      'refused requests have no effect',
      writes.map(
        ({ n, intent, outcome }) =>
          intent.kind === 'add_comment' &&
          outcome === 'refused' &&
          named.has(intent.comment) &&
          `operation ${n} (add ${intent.comment}) was refused, and the comment exists`,
      ),
    ),
  ];
}

/** Each entry about a comment is announced by one event, with its actor and time. The events of a comment name each mentioned user once. */
export function checkCommentEvents(world: World, published: ReadonlyMap<string, RecordedEvent[]>): Violation[] {
  const histories = [...commentHistories(world)];
  const entriesOfEvents = broken(
    'every change is published once',
    histories.map(([id, entries]) => {
      const expected = entries.map(({ action, actor_id: actor, created_at: at }) => [verbOf(action), actor, at]);
      const events = (published.get(id) ?? []).toSorted((a, b) => compare(a.timestamp, b.timestamp));
      const actual = events.map(({ type, actor, timestamp }) => [type, actor, timestamp]);
      return (
        JSON.stringify(actual) !== JSON.stringify(expected) &&
        `comment ${id}: events ${events.map(label).join(', ') || 'none'}, entries ${JSON.stringify(expected)}`
      );
    }),
  );
  const mentionsOfEvents = broken(
    'nothing happens twice',
    histories.map(([id]) => {
      const named = (published.get(id) ?? []).flatMap(({ mentioned = [] }) => mentioned);
      const again = named.filter((user, index) => named.indexOf(user) < index);
      return again.length > 0 && `the events of comment ${id} name ${again.join(', ')} again as mentioned`;
    }),
  );
  return [...entriesOfEvents, ...mentionsOfEvents];
}

function verbOf(action: string): string {
  return action.replace('comment_', 'tasks.comment.');
}

function isOfComments(operation: Operation): operation is CommentOperation {
  return 'comment' in operation.intent;
}

function storedState(comment: CommentRow, entries: readonly ActivityRow[]): string | false {
  const [first, last] = [entries[0], entries.at(-1)];
  const agrees =
    first?.action === 'comment_added' &&
    first.actor_id === comment.author_id &&
    first.created_at === comment.created_at &&
    last?.created_at === comment.updated_at &&
    entries.slice(1).every(({ action }) => action === 'comment_changed') &&
    entries.length === comment.version;
  return !agrees && `comment ${JSON.stringify(comment)} has the entries ${JSON.stringify(entries)}`;
}

function missing(id: string, entries: readonly ActivityRow[]): string | false {
  const ends = entries.filter(({ action }) => action === 'comment_deleted').length;
  const isDeleted = ends === 1 && entries.at(-1)?.action === 'comment_deleted';
  return !isDeleted && `comment ${id} is gone, and its activity log does not say so: ${JSON.stringify(entries)}`;
}

type Found = { histories: ReadonlyMap<string, ActivityRow[]>; stored: ReadonlyMap<string, CommentRow> };

/** Describes the missing effect of an acknowledged write. */
function lostWrite({ n, intent, outcome, actorId, subjectId, answer, replays }: CommentOperation, found: Found) {
  if (outcome !== 'acknowledged') return [];
  const text = `operation ${n} (${intent.kind} ${intent.comment}) was acknowledged`;
  if (intent.kind === 'delete_comment')
    return [found.stored.has(subjectId ?? '') && `${text}, and comment ${subjectId} exists`];
  return [answer, ...replays]
    .filter((one): one is Answer => one?.version !== undefined)
    .map((one) => {
      const entry = found.histories.get(one.id ?? '')?.[(one.version ?? 0) - 1];
      const row = found.stored.get(one.id ?? '');
      const action = intent.kind === 'add_comment' ? 'comment_added' : 'comment_changed';
      const isLogged = entry?.action === action && entry.actor_id === actorId && entry.created_at === one.updated_at;
      const isKept = row === undefined || row.version !== one.version || row.body === one.body;
      return !(isLogged && isKept) && `${text} with ${JSON.stringify(one)}; the log has ${JSON.stringify(entry)}`;
    });
}

/** Describes a comment that was added twice under one key. */
function repeated(
  { n, intent, answer, replays }: CommentOperation,
  named: ReadonlyMap<string | undefined, CommentRow[]>,
): string | false {
  if (intent.kind !== 'add_comment') return false;
  const ids = new Set([answer, ...replays].flatMap((one) => one?.id ?? []));
  const count = named.get(intent.comment)?.length ?? 0;
  return (
    (count > 1 || ids.size > 1) &&
    `operation ${n} (add ${intent.comment}) made ${count} comments, and returned ${[...ids].join(', ')}`
  );
}

/** Describes a comment with more changes than requests that were not refused. */
function tooMany(id: string, entries: readonly ActivityRow[], operations: readonly CommentOperation[]): string | false {
  const possible = operations.filter(({ outcome }) => outcome !== 'refused').map(({ intent }) => intent.kind);
  const count = (action: string, kind: string) =>
    entries.filter((entry) => entry.action === action).length > possible.filter((one) => one === kind).length;
  return (
    (count('comment_changed', 'change_comment') || count('comment_deleted', 'delete_comment')) &&
    `comment ${id} has the entries ${JSON.stringify(entries)}, after ${possible.join(', ') || 'no request'}`
  );
}
