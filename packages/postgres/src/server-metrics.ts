import { setTimeout as delay } from 'node:timers/promises';
import type { Telemetry } from '@taskwire/telemetry';
import type { Pool } from 'pg';
import { Gauge } from 'prom-client';

/**
 * Statistics that any login may read. The time of the last backup is a comment on the database `postgres`, which the backup job writes
 * (infra/postgres/pgbackrest/cron): every login can read it, and it needs no table outside the services' own.
 */
const readServer = `
  SELECT
    pg_database_size(current_database())::float8 AS size,
    (SELECT sum(numbackends) FROM pg_stat_database WHERE datid <> 0)::integer AS connections,
    current_setting('max_connections')::integer AS "maxConnections",
    (SELECT CASE WHEN current_setting('archive_mode') = 'off' THEN NULL
      WHEN last_failed_time > coalesce(last_archived_time, '-infinity') THEN 1 ELSE 0 END FROM pg_stat_archiver) AS "archiveFailing",
    (SELECT extract(epoch FROM clock_timestamp() - substring(description FROM 'last backup (.+)')::timestamptz)::float8
      FROM pg_shdescription JOIN pg_database ON pg_database.oid = objoid
      WHERE classoid = 'pg_database'::regclass AND datname = 'postgres') AS "backupAge"`;

/**
 * Stands for the age of the last backup while there is none: an installation that archives its log, but has never made a base backup, could restore
 * nothing since then.
 */
const readDataAge = `SELECT extract(epoch FROM clock_timestamp() - min(applied_at))::float8 AS age FROM schema_migrations`;

type ServerState = {
  size: number;
  connections: number;
  maxConnections: number;
  archiveFailing: number | null;
  backupAge: number | null;
};

/** Shorter than the timeout of a scrape; a stopped server does not respond at all. */
const responseTimeoutMs = 3_000;
/** The gauges of one scrape share one reading. In milliseconds. */
const freshMs = 500;

/**
 * Registers metrics of the server behind a pool. Each scrape reads them, and probes the server with a write. While the server is unavailable, only
 * `database_up` has a value.
 */
export function observeServer(pool: Pool, { metrics }: Telemetry, checkWritable: () => Promise<void>): void {
  if (metrics.getSingleMetric('database_up') !== undefined) return;
  let reading: Promise<ServerState | undefined> | undefined;
  let readAt = -Infinity;

  async function read(): Promise<ServerState | undefined> {
    await checkWritable();
    const { rows } = await pool.query<ServerState>(readServer);
    const [found] = rows;
    if (found === undefined || found.archiveFailing === null || found.backupAge !== null) return found;
    // a database without migrations has no data to lose
    const ages = await pool.query<{ age: number | null }>(readDataAge).catch(() => undefined);
    return { ...found, backupAge: ages?.rows[0]?.age ?? null };
  }

  async function state(): Promise<ServerState | undefined> {
    if (reading === undefined || performance.now() - readAt >= freshMs) {
      readAt = performance.now();
      reading = Promise.race([read().catch(() => undefined), delay(responseTimeoutMs, undefined, { ref: false })]);
    }
    return await reading;
  }

  function gauge(name: string, help: string, valueOf: (state: ServerState) => number | null): void {
    new Gauge({
      name,
      help,
      registers: [metrics],
      async collect() {
        const found = await state();
        if (found === undefined) this.remove();
        else this.set(valueOf(found) ?? Number.NaN);
      },
    });
  }

  new Gauge({
    name: 'database_up',
    help: 'Whether the database responds and accepts writes.',
    registers: [metrics],
    async collect() {
      this.set((await state()) === undefined ? 0 : 1);
    },
  });
  gauge('database_size_bytes', "Size of the service's database on the disk of the server.", ({ size }) => size);
  gauge('database_server_connections', 'Connections of all clients to the server.', (found) => found.connections);
  gauge(
    'database_server_max_connections',
    'The number of connections that the server accepts.',
    (found) => found.maxConnections,
  );
  gauge(
    'database_archive_failing',
    'Whether the server failed to archive its log when it last tried; NaN if it does not archive.',
    ({ archiveFailing }) => archiveFailing,
  );
  gauge(
    'database_backup_age_seconds',
    'Time since the last recorded backup of the server. Without one: since the first migration if the server archives its log, otherwise NaN.',
    ({ backupAge }) => backupAge,
  );
}
