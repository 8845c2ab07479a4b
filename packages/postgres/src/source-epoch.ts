import type { ClientBase } from 'pg';
import type { Telemetry } from '@taskwire/telemetry';
import { Gauge } from 'prom-client';
import { outageOf } from './unavailable.ts';

/**
 * The epoch of a database: 1 until the database is restored or a standby is promoted. A restored database reuses version numbers that other services
 * have seen, so versions compare as (epoch, version). ADR 38.
 */
export type SourceEpoch = {
  /** Part of entity tags. */
  epoch: number;
  /** The epoch sent to other services: the last one for which an operator has made the suite consistent. Never higher than `epoch`. */
  published: number;
  /** Whether the current epoch began with a restore to a time, and the operator's command has not made the suite consistent yet. */
  isUnrecovered: boolean;
};

/** The table is read when a connection opens, together with the identity of the database. Each migration run creates it if it is missing. */
export const createSourceEpochTable = `
  CREATE TABLE IF NOT EXISTS source_epoch (
    id                integer     PRIMARY KEY CHECK (id = 1),
    system_identifier bigint      NOT NULL,
    timeline          integer     NOT NULL,
    database_oid      oid         NOT NULL,
    epoch             integer     NOT NULL,
    raised_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    consistent_epoch  integer     NOT NULL,
    recovery_target   text        NOT NULL DEFAULT '',
    is_restored       boolean     NOT NULL DEFAULT false,
    CONSTRAINT source_epoch_consistent_is_reached CHECK (consistent_epoch BETWEEN 1 AND epoch)
  )`;

/**
 * The target of the last recovery, if one was set. After a restore to a time, the settings still contain the target; after a promotion they
 * contain none. This is the only difference between the two. A restore to the end of the archive has no target either, and looks like a promotion.
 */
const recoveryTarget = `
  (SELECT coalesce(string_agg(setting, ' ' ORDER BY name), '') FROM pg_settings WHERE setting <> ''
    AND name IN ('recovery_target', 'recovery_target_time', 'recovery_target_name', 'recovery_target_xid', 'recovery_target_lsn'))`;

/**
 * The identity of this database. The name of the current WAL file contains the timeline; after a promotion, the control file shows the previous
 * timeline until the next checkpoint. A standby has no current WAL file, and therefore no identity of its own.
 */
const here = `
  SELECT (SELECT system_identifier FROM pg_control_system()) AS system_identifier,
    CASE WHEN NOT pg_is_in_recovery() THEN ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer END AS timeline,
    (SELECT oid FROM pg_database WHERE datname = current_database()) AS database_oid`;

const findTable = "SELECT to_regclass('source_epoch') IS NOT NULL AS exists";

const readEpoch = `
  SELECT stored.epoch, stored.consistent_epoch AS published,
    stored.is_restored AND stored.consistent_epoch < stored.epoch AS "isUnrecovered",
    here.timeline IS NOT NULL AND (stored.system_identifier, stored.timeline, stored.database_oid)
      IS DISTINCT FROM (here.system_identifier, here.timeline, here.database_oid) AS differs
  FROM (${here}) AS here LEFT JOIN source_epoch AS stored ON true`;

// Several processes may detect the difference at the same time. Because of the row lock, all but the first of them see the result of the first. A
// second restore of the same backup starts with the same row, but has a new timeline.
const raiseEpoch = `
  INSERT INTO source_epoch AS stored (id, system_identifier, timeline, database_oid, epoch, consistent_epoch, recovery_target)
  SELECT 1, system_identifier, timeline, database_oid, 1, 1, ${recoveryTarget} FROM (${here}) AS here
  ON CONFLICT (id) DO UPDATE SET
    system_identifier = excluded.system_identifier, timeline = excluded.timeline, database_oid = excluded.database_oid,
    epoch = greatest(stored.epoch + 1, excluded.timeline), raised_at = clock_timestamp(),
    recovery_target = excluded.recovery_target,
    -- a later promotion of a copy with the same settings is not a restore
    is_restored = excluded.recovery_target <> '' AND excluded.recovery_target <> stored.recovery_target
  WHERE (stored.system_identifier, stored.timeline, stored.database_oid)
    IS DISTINCT FROM (excluded.system_identifier, excluded.timeline, excluded.database_oid)`;

type Row = { epoch: number | null; published: number | null; isUnrecovered: boolean | null; differs: boolean };

const unknown: SourceEpoch = { epoch: 1, published: 1, isUnrecovered: false };

/**
 * Returns the epoch of the database of a new connection, and first raises it if the identity of the database differs from the stored one. Every
 * connection breaks when a database is restored or promoted, so no connection sees the new database with the old epoch.
 */
export async function sourceEpochOf(client: ClientBase): Promise<SourceEpoch> {
  // checked in a separate statement and not by a cast, because the table is missing until the migrations of this release have run
  const { rows: tables } = await client.query<{ exists: boolean }>(findTable);
  if (tables[0]?.exists !== true) return unknown;
  const stored = await read(client);
  if (!stored.differs) return toEpoch(stored);
  try {
    await client.query(raiseEpoch);
  } catch (error) {
    // a full or read-only database still serves reads; the next connection tries again
    if (outageOf(error) === undefined) throw error;
    return toEpoch(stored);
  }
  return toEpoch(await read(client));
}

async function read(client: ClientBase): Promise<Row> {
  const { rows } = await client.query<Row>(readEpoch);
  return rows[0] ?? { ...unknown, differs: false };
}

function toEpoch({ epoch, published, isUnrecovered }: Row): SourceEpoch {
  return { epoch: epoch ?? 1, published: published ?? 1, isUnrecovered: isUnrecovered ?? false };
}

/** @throws if the database was restored to a time and the operator's command has not run yet: until then, the service must not act on lost data. */
export function requireRecovered({ isUnrecovered }: SourceEpoch, service: string): void {
  if (!isUnrecovered) return;
  throw new Error(
    `the database was restored to a time; run \`taskwire restored ${service}\` before ${service} starts (docs/runbooks/restore.md)`,
  );
}

export type EpochOfPool = {
  current(): SourceEpoch;
  /** For each new connection. */
  read(client: ClientBase): Promise<void>;
};

/** Keeps the epoch that the newest connection of a pool has read, and logs when an operator has to act. */
export function createEpochOfPool({ metrics, logger }: Telemetry): EpochOfPool {
  let current = unknown;
  const name = 'source_epoch';
  if (metrics.getSingleMetric(name) === undefined) {
    new Gauge({
      name,
      help: 'The epoch of the database by kind: current (raised by a restore or a promotion) and published (sent to other services).',
      labelNames: ['kind'],
      registers: [metrics],
      collect() {
        this.set({ kind: 'current' }, current.epoch);
        this.set({ kind: 'published' }, current.published);
      },
    });
  }
  return {
    current: () => current,
    async read(client) {
      const before = current;
      current = await sourceEpochOf(client);
      if (current.epoch > before.epoch && current.epoch > current.published)
        logger.warn('the database was restored or promoted: run `taskwire restored` (docs/runbooks/restore.md)', {
          ...{ source_epoch: current.epoch, published_epoch: current.published },
        });
    },
  };
}
