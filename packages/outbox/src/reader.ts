import type { OwnerConnection } from './owner-connection.ts';
import { isBehindHeld, rowColumns, toRow, type RawRow, type Row } from './rows.ts';

/**
 * Reads each row to be published exactly once, and misses none although ids commit out of order.
 *
 * There are two positions. Below `cursor`, all rows have been read, except those that were not committed yet when the scan passed them. Below
 * `floor`, there will never be anything left to read. A scan continues from the cursor; a sweep between floor and cursor finds rows that committed
 * late. A row is never found by "id > last seen" alone.
 *
 * Why one statement does both: a late row and a subsequent row of its aggregate may commit at the same instant, or in the same transaction. A
 * separate scan could find the second row, above the cursor, before a sweep finds the first one, below it. Within one snapshot this is impossible:
 * the writer of the second row waits for the lock of the first, so a snapshot that contains the second contains the first. Late rows are returned
 * first. If the range above the floor is long (see below), some scans must run without a sweep. Such a scan takes only rows that were committed
 * before the `Look` that preceded the last complete sweep, so that this sweep has seen every row that precedes them. The cursor passes the other
 * rows, and the next sweep finds them.
 *
 * Why the floor may rise: every transaction that inserts into the outbox locks the table (ROW EXCLUSIVE, which blocks no other writer) before the row
 * gets its id, and holds the lock until it has ended and its result is visible. Now read, in this order,
 *   M, the last value that the sequence handed out, then
 *   W, the transactions that hold that lock.
 * Ids are handed out one at a time (CACHE 1), so every transaction with an id up to M got it before M was read, and got the lock before that. It is
 * therefore in W, or it has ended. Once all transactions in W have ended, any statement sees all rows up to M that were ever committed; the other ids
 * up to M were rolled back or deleted. A sweep made then is the last one that M needs, so the floor rises to M, or to the cursor if that is lower.
 * (Snapshots alone could show this too, once all transactions that ran when M was read have ended. But these would include the writers of all tables
 * of all databases of the server; the lock is held only by writers of the outbox.)
 * Rows that were read are in memory (`known`) until they are deleted, and blocked rows are found by their own index. Neither needs the floor. A new
 * leader starts at 0.
 *
 * Why there is a floor: while any snapshot in the database is older than their deletion, deleted rows stay in the index, and each scan from the start
 * passes over all of them. A floor that follows the cursor limits the scan to rows deleted in the last fraction of a second, however old the snapshot
 * is. A transaction that stays open after it wrote events keeps the floor from rising. The range then grows, and its sweeps are limited to their
 * share of the time.
 */
export type Reader = {
  /** Returns up to `room` rows, in id order within an aggregate. `more`: whether further rows may be available right now. */
  read(room: number): Promise<Found>;
  /** Announces that rows may have been committed. The next read looks for them. */
  expectLate(): void;
  /** The milliseconds until the requested sweep may run; undefined if none is requested. */
  sweepIn(): number | undefined;
  /** Sets whether rows may be blocked in the database, so that scans must check. */
  setHeldExists(exists: boolean): void;
  position(): { floor: number; cursor: number };
  /** Returns the last id that was handed out. */
  lastId(): Promise<number>;
};

/** A row, plus whether it was already visible in the earlier snapshot. */
type SeenRow = [...RawRow, string];

export type Found = { rows: Row[]; more: boolean };

/** A state that a sweep is certain to have seen: the ids handed out and the transactions ended before its own snapshot. */
type Look = { lastId: number; snapshot: string };

type Mark = { lastId: number; writers: string[]; settled: boolean };

export type ReaderOptions = {
  connection: OwnerConnection;
  /** Whether a row is in memory already. */
  known(id: number): boolean;
  /** A monotonic clock, in milliseconds. */
  now?: () => number;
  /** The length of the range from floor to cursor above which sweeps run only part of the time. */
  shortWay?: number;
};

/** This many ids are swept in a few milliseconds, whatever the state of their rows. */
const defaultShortWay = 20_000;
/** The share of the time that sweeps of a long range may take, so that the scanned rows can be published in between. */
const sweepShare = 0.2;
/** How often the floor rises. Each time costs two or three small statements, and leaves a quarter of a second of deleted rows to sweep. */
const markEveryMs = 250;
/** The maximum number of ids that one sweep reads, including rows in flight. */
const sweepLimit = 20_000;

const scanOf = (behindHeld: string): string => `
  SELECT ${rowColumns(behindHeld)} FROM outbox o
  WHERE o.id > $1 AND o.next_attempt_at IS NULL ORDER BY o.id LIMIT $2`;
const scanSeenOf = (behindHeld: string): string => `
  SELECT ${rowColumns(behindHeld)}, pg_visible_in_snapshot(o.xid, $4::pg_snapshot) FROM outbox o
  WHERE o.id > $1 AND o.id <= $2 AND o.next_attempt_at IS NULL ORDER BY o.id LIMIT $3`;
const fetchOf = (behindHeld: string): string => `
  SELECT ${rowColumns(behindHeld)} FROM outbox o
  WHERE o.id = ANY ($1::bigint[]) AND o.next_attempt_at IS NULL ORDER BY o.id`;
// a sweep reads only the ids of rows, since most rows are in memory
const sweepAndScanOf = (behindHeld: string): string => `
  (SELECT id, NULL::uuid, NULL, NULL, NULL::json, NULL::json, NULL::bigint, NULL::integer, NULL::boolean FROM outbox
   WHERE id > $1 AND id <= $2 AND next_attempt_at IS NULL ORDER BY id LIMIT ${sweepLimit})
  UNION ALL
  (SELECT ${rowColumns(behindHeld)} FROM outbox o
   WHERE o.id > $2 AND o.next_attempt_at IS NULL ORDER BY o.id LIMIT $3)`;

/** A statement for when no rows are blocked, and one that checks for each row whether it is behind a blocked one. */
type Variants = Record<'plain' | 'besideHeld', { name: string; text: string }>;

function variants(name: string, textOf: (behindHeld: string) => string): Variants {
  return {
    plain: { name: `outbox ${name}`, text: textOf('false') },
    besideHeld: { name: `outbox ${name} beside held`, text: textOf(isBehindHeld) },
  };
}

const writing = `
  SELECT virtualtransaction FROM pg_locks
  WHERE locktype = 'relation' AND relation = 'outbox'::regclass AND mode = 'RowExclusiveLock' AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND pid IS DISTINCT FROM pg_backend_pid()`;

const sql = {
  scan: variants('scan', scanOf),
  scanSeen: variants('scan seen', scanSeenOf),
  fetch: variants('fetch', fetchOf),
  sweepAndScan: variants('sweep and scan', sweepAndScanOf),
  // the snapshot is older than the id, because it is taken when the statement begins
  look: {
    name: 'outbox look',
    text: 'SELECT CASE WHEN is_called THEN last_value ELSE 0 END, pg_current_snapshot() FROM outbox_id_seq',
  },
  lastId: { name: 'outbox last id', text: 'SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM outbox_id_seq' },
  writers: { name: 'outbox writers', text: writing },
  writersLeft: { name: 'outbox writers left', text: `${writing} AND virtualtransaction = ANY ($1) LIMIT 1` },
};

export function createReader(options: ReaderOptions): Reader {
  const { connection, known, now = () => performance.now(), shortWay = defaultShortWay } = options;
  let floor = 0;
  let cursor = 0;
  let seen: Look | undefined;
  let mark: Mark | undefined;
  let markedAt = -Infinity;
  let heldExists = true;
  let sweepWanted = true;
  let nextSweepAt = -Infinity;

  /** Must run before the sweep and the scan, which may rely only on what was settled before their snapshots. */
  async function settleMark(): Promise<void> {
    if (mark === undefined) {
      if (floor === cursor || now() - markedAt < markEveryMs) return;
      markedAt = now();
      const lastId = Number(await value(sql.lastId));
      const writers = (await connection.run<[string]>(sql.writers)).map(([transaction]) => transaction);
      mark = { lastId, writers, settled: writers.length === 0 };
    } else if (!mark.settled) {
      const [left] = await connection.run(sql.writersLeft, [mark.writers]);
      mark.settled = left === undefined;
    }
  }

  function raiseFloor(to: number): void {
    if (mark?.settled !== true) return;
    floor = Math.max(floor, Math.min(to, mark.lastId));
    if (floor >= mark.lastId) mark = undefined;
  }

  async function rows<R extends RawRow | SeenRow = RawRow>(statement: Variants, values: unknown[]): Promise<R[]> {
    return await connection.run<R>(heldExists ? statement.besideHeld : statement.plain, values);
  }

  /** Reads without a sweep, because no row below the cursor can be missing. */
  async function scan(room: number): Promise<Found> {
    sweepWanted = false;
    const fresh = (await rows(sql.scan, [cursor, room])).map(toRow);
    pass(fresh, room);
    return { rows: fresh, more: fresh.length === room };
  }

  /** Scans between two sweeps of a long range. */
  async function scanSeen(room: number): Promise<Found> {
    // the next sweep finds the rows that this scan skips
    sweepWanted = true;
    if (seen === undefined || cursor >= seen.lastId) return { rows: [], more: false };
    const found = await rows<SeenRow>(sql.scanSeen, [cursor, seen.lastId, room, seen.snapshot]);
    const more = found.length === room;
    cursor = more ? Number(found.at(-1)?.[0] ?? cursor) : seen.lastId;
    const taken = found.filter((row) => row[9] === 't');
    return { rows: taken.map(toRow), more };
  }

  /** Reads, in one snapshot, the rows between floor and cursor that are not in memory, and the rows above the cursor. */
  async function sweepAndScan(room: number): Promise<Found> {
    const startedAt = now();
    const isLong = cursor - floor > shortWay;
    const look = isLong ? await lookNow() : undefined;
    const found = await rows(sql.sweepAndScan, [floor, cursor, room]);
    // only rows found by the scan have a message id
    const swept = found.filter((row) => row[1] === null).map(([id]) => Number(id));
    const late = swept.filter((id) => !known(id));
    const taken = late.slice(0, room);
    const lateRows = taken.length === 0 ? [] : (await rows(sql.fetch, [taken])).map(toRow);
    if (isLong) nextSweepAt = now() + (now() - startedAt) * (1 / sweepShare - 1);
    sweepWanted = taken.length < late.length || swept.length === sweepLimit;
    if (sweepWanted) {
      // the remaining late rows may precede rows found by the scan
      raiseFloor((taken.length < late.length ? taken : swept).at(-1) ?? floor);
      return { rows: lateRows, more: true };
    }
    seen = look;
    const limit = room - taken.length;
    const fresh = found.filter((row) => row[1] !== null).slice(0, limit);
    const freshRows = fresh.map(toRow);
    pass(freshRows, limit);
    return { rows: [...lateRows, ...freshRows], more: freshRows.length === limit };
  }

  /** Advances the cursor past the rows of a scan that missed none up to there. If the scan reached the end, advances past all settled ids. */
  function pass(fresh: Row[], limit: number): void {
    cursor = fresh.at(-1)?.id ?? cursor;
    if (mark?.settled !== true) return;
    if (fresh.length < limit) cursor = Math.max(cursor, mark.lastId);
    raiseFloor(cursor);
  }

  async function lookNow(): Promise<Look | undefined> {
    const [row] = await connection.run<[string, string]>(sql.look);
    return row && { lastId: Number(row[0]), snapshot: row[1] };
  }

  async function value(statement: { name: string; text: string }): Promise<string> {
    const [row] = await connection.run<[string]>(statement);
    if (row === undefined) throw new Error(`${statement.name} gave nothing`);
    return row[0];
  }

  const sweepIn = (): number | undefined =>
    sweepWanted && floor < cursor ? Math.max(0, nextSweepAt - now()) : undefined;

  return {
    async read(room) {
      await settleMark();
      if (floor === cursor) return await scan(room);
      return now() >= nextSweepAt ? await sweepAndScan(room) : await scanSeen(room);
    },
    expectLate() {
      sweepWanted = true;
    },
    sweepIn,
    setHeldExists(exists) {
      heldExists = exists;
    },
    position: () => ({ floor, cursor }),
    lastId: async () => Number(await value(sql.lastId)),
  };
}
