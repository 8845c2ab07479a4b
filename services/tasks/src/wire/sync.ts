import { createLoop, type Component } from '@taskwire/lifecycle';
import type { Database } from '@taskwire/postgres';
import type { Telemetry } from '@taskwire/telemetry';
import { createWaiters } from '../app/jobs/waiters.ts';
import type { FollowPorts } from '../app/sync/follow-changes.ts';
import type { FeedName } from '../app/sync/ports.ts';
import type { Turns } from '../postgres/lists/bounded-reads.ts';
import { createFeeds } from '../postgres/sync/feeds.ts';
import { observeFeeds } from '../postgres/sync/metrics.ts';

/** A waiting client sees a change after at most this pause, plus the end of the transactions that are running, plus the read of its page. */
const pollMs = 50;
/** Short, because clients are waiting. */
const maxBackOffMs = 1_000;

/** Wires the sync feeds, and the loop that looks for changes while clients wait for them. */
export function wireSync(db: Database, telemetry: Telemetry, inTurn: Turns): { sync: FollowPorts; syncing: Component } {
  const changes = createWaiters();
  const feeds = createFeeds(db, inTurn, (feed) => changes.wake(feed, Infinity));
  observeFeeds(db, feeds, telemetry);
  const polling = createLoop({
    name: 'sync',
    intervalMs: pollMs,
    maxBackOffMs,
    logger: telemetry.logger,
    async tick() {
      for (const feed of changes.waiting().keys()) await feeds[feed as FeedName].settleNew();
      return 'idle';
    },
  });
  /** Starts after the HTTP server, and so stops before it: the server waits for the clients. */
  const syncing: Component = {
    ...polling,
    async stop() {
      changes.close();
      await polling.stop();
    },
  };
  return { sync: { feeds, changes }, syncing };
}
