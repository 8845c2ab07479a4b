import type { Partition } from '@taskwire/partitions';
import type { DatabaseClock } from './database-clock.ts';
import type { LeaderConnection } from './leader-connection.ts';
import { andPartition, isBlockedSql, rowColumns, toRow, type RawRow, type Row } from './rows.ts';

/**
 * Reads each row to be published exactly once, and misses none although ids commit out of order.
 *
 * There are two positions. Below `cursor`, all rows have been read, except those that were not committed yet when the scan passed them. Below
 * `lowWatermark`, no unread row can ever appear. A scan continues from the cursor; a rescan between the low watermark and the cursor finds rows that
 * committed late. Reading only rows with "id > last seen" would miss late rows.
 *
 * Why one statement does both: a late row and a subsequent row of its aggregate may commit at the same instant, or in the same transaction. A
 * separate scan could find the second row, above the cursor, before a rescan finds the first one, below it. Within one snapshot this is impossible:
 * the writer of the second row waits for the lock of the first, so a snapshot that contains the second contains the first. Late rows are returned
 * first.
 *
 * Why the low watermark may rise: every transaction that inserts into the outbox locks the table (ROW EXCLUSIVE, which blocks no other writer) before
 * the row gets its id, and holds the lock until it has ended and its result is visible. Now read, in this order, M, the last value that the sequence
 * handed out, then W, the transactions that hold that lock. Ids are handed out one at a time (CACHE 1), so every transaction with an id up to M got
 * it before M was read, and got the lock before that. It is therefore in W, or it has ended. M and W are a writer barrier. Once all transactions in W
 * have ended, the barrier is passed: any statement sees all rows up to M that were ever committed; the other ids up to M were rolled back or deleted.
 * After a rescan at that point, no other rescan is needed up to M, so the low watermark rises to M, or to the cursor if that is lower. (Snapshots
 * alone could show this too, once all transactions that ran when M was read have ended. But these would include the writers of all tables of all
 * databases of the server; the lock is held only by writers of the outbox.) Rows that were read stay in memory (`known`) until they are deleted, and
 * blocked rows are found with a separate index. Neither depends on the low watermark. A new leader starts at 0.
 *
 * Why a low watermark is needed: deleted rows stay in the index while any snapshot in the database is older than their deletion, and each scan from
 * the start would pass over all of them. A low watermark that follows the cursor limits the rescan to rows deleted in the last fraction of a second,
 * however old the snapshot is.
 *
 * A transaction that stays open after it wrote events keeps the low watermark from rising, and each read then rescans all ids since. Services limit
 * this to idle_in_transaction_session_timeout (10 s). Measured on two shared cores with a writer held open over 120,000 ids, which is 10 s at 12,000
 * events a second: 12,000 to 15,000 events a second were still read, and no read took longer than 0.2 s; without such a writer, 42,000 events a
 * second were read. An earlier second mode, which scanned without a rescan most of the time, read twice as many, and was not worth its own proof.
 */
export type Reader = {
  /** Returns up to `capacity` rows, in id order within an aggregate. `more`: whether further rows may be available right now. */
  read(capacity: number): Promise<Found>;
  /** Notes that rows may have been committed below the cursor. The next read looks for them. */
  expectLateCommits(): void;
  /** Whether rows below the cursor may be waiting to be found. */
  rescanDue(): boolean;
  /** Sets whether the database may contain blocked rows, which reads must then check for. */
  setBlockedExist(exist: boolean): void;
  position(): { lowWatermark: number; cursor: number };
  /** Returns the last id that was handed out. */
  lastId(): Promise<number>;
};

export type Found = { rows: Row[]; more: boolean };

/** The ids up to `lastId` are final once all `writers` have ended. */
type WriterBarrier = { lastId: number; writers: string[]; passed: boolean };

export type ReaderOptions = {
  connection: LeaderConnection;
  partition: Partition;
  /** Whether a row is in memory already. */
  known(id: number): boolean;
  /** Gets the database's time with each `lastId`. */
  clock: Pick<DatabaseClock, 'note'>;
  /** A monotonic clock, in milliseconds. */
  now?: () => number;
};

/**
 * The interval at which the low watermark rises. Each time costs two or three small statements, and leaves a quarter of a second of deleted rows to
 * rescan.
 */
const barrierEveryMs = 250;
/**
 * The maximum number of ids that one rescan reads, including those of rows in flight. It takes a few milliseconds, whatever the state of these rows.
 */
const rescanLimit = 20_000;

const scanOf = (partition: Partition, isBlocked: string): string => `
  SELECT ${rowColumns(isBlocked)} FROM outbox o
  WHERE o.id > $1 AND o.next_attempt_at IS NULL${andPartition(partition, 'o.aggregate_id')} ORDER BY o.id LIMIT $2`;
const fetchOf = (isBlocked: string): string => `
  SELECT ${rowColumns(isBlocked)} FROM outbox o
  WHERE o.id = ANY ($1::bigint[]) AND o.next_attempt_at IS NULL ORDER BY o.id`;
// a rescan reads only the ids of rows, since most rows are in memory
const rescanAndScanOf = (partition: Partition, isBlocked: string): string => `
  (SELECT id, NULL::uuid, NULL, NULL, NULL::json, NULL::json, NULL::bigint, NULL::integer, NULL::boolean FROM outbox
   WHERE id > $1 AND id <= $2 AND next_attempt_at IS NULL${andPartition(partition)} ORDER BY id LIMIT ${rescanLimit})
  UNION ALL
  (SELECT ${rowColumns(isBlocked)} FROM outbox o
   WHERE o.id > $2 AND o.next_attempt_at IS NULL${andPartition(partition, 'o.aggregate_id')} ORDER BY o.id LIMIT $3)`;

/**
 * Two variants of a statement: one for when no rows are blocked, and one that checks for each row whether an earlier row of its aggregate is blocked.
 */
type Variants = Record<'plain' | 'withBlocked', { name: string; text: string }>;

function variants(name: string, textOf: (isBlocked: string) => string): Variants {
  return {
    plain: { name: `outbox.${name}`, text: textOf('false') },
    withBlocked: { name: `outbox.${name}_with_blocked`, text: textOf(isBlockedSql) },
  };
}

const writers = `
  SELECT virtualtransaction FROM pg_locks
  WHERE locktype = 'relation' AND relation = 'outbox'::regclass AND mode = 'RowExclusiveLock' AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND pid IS DISTINCT FROM pg_backend_pid()`;

const sql = {
  lastId: {
    name: 'outbox.read_last_id',
    text: `SELECT CASE WHEN is_called THEN last_value ELSE 0 END, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
      FROM outbox_id_seq`,
  },
  writers: { name: 'outbox.list_writers', text: writers },
  writersLeft: { name: 'outbox.find_remaining_writer', text: `${writers} AND virtualtransaction = ANY ($1) LIMIT 1` },
};

/**
 * The statements that choose rows of a partition. The writer barrier covers all writers of the table. These include the relays of other partitions,
 * which delete rows, for the milliseconds that each statement takes.
 */
export function rowStatements(partition: Partition): Record<'scan' | 'fetch' | 'rescanAndScan', Variants> {
  return {
    scan: variants('scan_rows', (isBlocked) => scanOf(partition, isBlocked)),
    fetch: variants('fetch_rows', fetchOf),
    rescanAndScan: variants('rescan_rows', (isBlocked) => rescanAndScanOf(partition, isBlocked)),
  };
}

export function createReader({
  connection,
  partition,
  known,
  clock,
  now = () => performance.now(),
}: ReaderOptions): Reader {
  const statements = rowStatements(partition);
  let lowWatermark = 0;
  let cursor = 0;
  let barrier: WriterBarrier | undefined;
  let barrierSetAt = -Infinity;
  let blockedExist = true;
  let rescanWanted = true;

  /** Must run before the rescan and the scan, which may rely only on writers that ended before their snapshot. */
  async function advanceBarrier(): Promise<void> {
    if (barrier === undefined) {
      if (lowWatermark === cursor || now() - barrierSetAt < barrierEveryMs) return;
      barrierSetAt = now();
      const id = await lastId();
      const open = (await connection.run<[string]>(sql.writers)).map(([transaction]) => transaction);
      barrier = { lastId: id, writers: open, passed: open.length === 0 };
    } else if (!barrier.passed) {
      const [left] = await connection.run(sql.writersLeft, [barrier.writers]);
      barrier.passed = left === undefined;
    }
  }

  function raiseLowWatermark(to: number): void {
    if (barrier?.passed !== true) return;
    lowWatermark = Math.max(lowWatermark, Math.min(to, barrier.lastId));
    if (lowWatermark >= barrier.lastId) barrier = undefined;
  }

  async function rows(statement: Variants, values: unknown[]): Promise<RawRow[]> {
    return await connection.run<RawRow>(blockedExist ? statement.withBlocked : statement.plain, values);
  }

  /** Reads without a rescan, because no row below the cursor can be missing. */
  async function scan(capacity: number): Promise<Found> {
    rescanWanted = false;
    const fresh = (await rows(statements.scan, [cursor, capacity])).map(toRow);
    pass(fresh, capacity);
    return { rows: fresh, more: fresh.length === capacity };
  }

  /** Reads, in one snapshot, the rows between low watermark and cursor that are not in memory, and the rows above the cursor. */
  async function rescanAndScan(capacity: number): Promise<Found> {
    const found = await rows(statements.rescanAndScan, [lowWatermark, cursor, capacity]);
    // only rows found by the scan have a message id
    const rescanned = found.filter((row) => row[1] === null).map(([id]) => Number(id));
    const late = rescanned.filter((id) => !known(id));
    const taken = late.slice(0, capacity);
    const lateRows = taken.length === 0 ? [] : (await rows(statements.fetch, [taken])).map(toRow);
    rescanWanted = taken.length < late.length || rescanned.length === rescanLimit;
    if (rescanWanted) {
      // the late rows that were not taken may precede rows found by the scan
      raiseLowWatermark((taken.length < late.length ? taken : rescanned).at(-1) ?? lowWatermark);
      return { rows: lateRows, more: true };
    }
    const limit = capacity - taken.length;
    const fresh = found
      .filter((row) => row[1] !== null)
      .slice(0, limit)
      .map(toRow);
    pass(fresh, limit);
    return { rows: [...lateRows, ...fresh], more: fresh.length === limit };
  }

  /**
   * Advances the cursor past the rows of a scan that missed no row up to that point. If the scan reached the end, advances past all ids of the
   * barrier.
   */
  function pass(fresh: Row[], limit: number): void {
    cursor = fresh.at(-1)?.id ?? cursor;
    if (barrier?.passed !== true) return;
    if (fresh.length < limit) cursor = Math.max(cursor, barrier.lastId);
    raiseLowWatermark(cursor);
  }

  async function lastId(): Promise<number> {
    const [row] = await connection.run<[string, string]>(sql.lastId);
    if (row === undefined) throw new Error(`${sql.lastId.name} returned no row`);
    clock.note(Number(row[1]));
    return Number(row[0]);
  }

  return {
    async read(capacity) {
      await advanceBarrier();
      return lowWatermark === cursor ? await scan(capacity) : await rescanAndScan(capacity);
    },
    expectLateCommits() {
      rescanWanted = true;
    },
    rescanDue: () => rescanWanted && lowWatermark < cursor,
    setBlockedExist(exist) {
      blockedExist = exist;
    },
    position: () => ({ lowWatermark, cursor }),
    lastId,
  };
}
