import { onlyRow, query, type Database } from '@taskwire/postgres';
import { measuredGauge, type Telemetry } from '@taskwire/telemetry';
import type { FeedName } from '../../app/sync/ports.ts';
import type { SettlingFeed } from './feeds.ts';

const age = 'SELECT extract(epoch FROM clock_timestamp() - $1::timestamptz)::float8 AS seconds';

/** Measures how old the feeds are, on each scrape. A transaction that writes tasks for a long time makes them older. */
export function observeFeeds(
  { pool }: Database,
  feeds: Readonly<Record<FeedName, SettlingFeed>>,
  telemetry: Telemetry,
): void {
  measuredGauge(telemetry, {
    name: 'tasks_sync_age_seconds',
    help: 'The age of `as_of` in the pages of a sync feed: how long a change may take to become visible.',
    labelNames: ['feed'],
    async measure(gauge) {
      // at the same time, so that a slow database does not make the scrape time out
      await Promise.all(
        Object.entries(feeds).map(async ([feed, { settle }]) => {
          const { asOf } = await settle();
          gauge.set({ feed }, onlyRow(await query<{ seconds: number }>(pool, age, [asOf])).seconds);
        }),
      );
    },
    failure: 'could not measure the age of the sync feeds',
  });
}
