import { problem, type Problem } from '@taskwire/errors';
import type { Settled } from '@taskwire/postgres';
import type { Reader } from '../../domain/projects/reader.ts';
import type { Waiters } from '../jobs/waiters.ts';
import type { AccessChange, Feed, FeedName, Position } from './ports.ts';

/** How long a copy may pause. Tombstones are kept for a day longer, because a deletion's timestamp is slightly earlier than its commit. */
export const tokenDays = 120;
const dayMs = 86_400_000;

export type FollowPorts = { feeds: Readonly<Record<FeedName, Feed>>; changes: Waiters };

/** The part of a user's standing on which a feed depends. `role` is an empty text for a feed that does not depend on it. */
export type Standing = { reader: Reader; role: string };

export type FollowCommand = {
  feed: FeedName;
  /** The standing of the user when the request arrived. */
  standing: Standing;
  /** Reads the standing again. @throws Problem if the access of the user has ended. */
  currentStanding: () => Promise<Standing>;
  /** Undefined for a new copy. */
  position: Position | undefined;
  limit: number;
  waitSeconds: number;
  /** Aborted when the client closes the connection. */
  hangUp: AbortSignal;
};

export type FollowedPage = { items: string[]; projects: AccessChange[]; next: Position; more: boolean; asOf: string };

/**
 * Reads the changes after a position. If there are none, waits for the next ones. No connection to the database is held while it waits. A user who is
 * deleted or demoted during the wait gets nothing more. After the last page, the copy has every row whose last change was committed by `asOf`, in exactly
 * that state.
 * @throws Problem `sync_token_expired` for a position that cannot be continued; what the feed and `currentStanding` throw.
 */
export async function followChanges({ feeds, changes }: FollowPorts, command: FollowCommand): Promise<FollowedPage> {
  const { limit, hangUp } = command;
  let { standing } = command;
  const feed = feeds[command.feed];
  const until = performance.now() + command.waitSeconds * 1_000;
  // joins before the first read, so that no change is missed between a read and the wait
  const waiter = changes.join([command.feed]);
  try {
    let settled = await feed.settle();
    const position = command.position ?? beginning(settled, standing.role);
    for (;;) {
      requireCurrent(position, settled, standing.role);
      const page = await readPage(feed, position, { settled, limit, reader: standing.reader });
      const leftMs = until - performance.now();
      if (
        page.items.length > 0 ||
        page.more ||
        page.projects.length > 0 ||
        leftMs <= 0 ||
        hangUp.aborted ||
        changes.isClosed()
      )
        return page;
      await waiter.next(leftMs, hangUp);
      standing = await command.currentStanding();
      settled = feed.known() ?? settled;
    }
  } finally {
    waiter.leave();
  }
}

function beginning({ number, asOf, epoch }: Settled, role: string): Position {
  return { epoch, role, after: 0, floor: number, since: asOf };
}

async function readPage(
  feed: Feed,
  position: Position,
  { settled, limit, reader }: { settled: Settled; limit: number; reader: Reader },
): Promise<FollowedPage> {
  const { after, floor } = position;
  const { number: upTo, asOf } = settled;
  if (position.refill !== undefined) {
    const { items, rest } = await feed.refill(position.refill, { limit, reader });
    return { items, projects: [], next: { ...position, refill: rest }, more: true, asOf };
  }
  const { items, projects, last, refill } = await feed.read({ after, floor, upTo, limit, reader });
  if (last !== undefined) return { items, projects, next: { ...position, after: last, refill }, more: true, asOf };
  // the position may be later than what this process has settled, because another process gave it out
  return { items, projects, next: { ...position, after: Math.max(after, upTo), since: asOf }, more: false, asOf };
}

function requireCurrent(position: Position, settled: Settled, role: string): void {
  if (position.epoch !== settled.epoch) throw expired('The database of the service was restored or replaced.');
  if (position.role !== role) throw expired('The role of the user has changed.');
  const restedMs = Date.parse(settled.asOf) - Date.parse(position.since);
  if (restedMs > tokenDays * dayMs) throw expired(`The token is older than ${tokenDays} days.`);
}

function expired(why: string): Problem {
  return problem('sync_token_expired', `${why} Drop the copy and start again without a token.`);
}
