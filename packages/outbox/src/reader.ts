import type { OwnerConnection } from './owner-connection.ts';
import { isBehindHeld, rowColumns, toRow, type RawRow, type Row } from './rows.ts';

/**
 * Reads rows to publish, each once, and misses none although ids commit out of order.
 *
 * Two positions. Below `cursor` rows have been read, save those that were not committed yet when the scan passed them. Below `floor` there
 * is nothing left to read, for ever. The scan goes on from the cursor; a sweep between floor and cursor finds what was committed late. A row
 * is never found by "id > last seen" alone.
 *
 * Why both are one statement. A late row and a row of its aggregate that comes after it may be committed in the same instant, or by the same
 * transaction: a scan could find the second, above the cursor, before a sweep finds the first, below it. In one snapshot it cannot: whoever
 * writes the second waits for the first's lock, so a snapshot that has the second has the first. Late rows are given first. Where the way from
 * the floor is long (see below) a scan must do without a sweep at times. It then takes only what was committed before the last complete
 * sweep looked (`Look`), so that this sweep has seen whatever belongs before; the cursor passes the rest, which the next sweep finds.
 *
 * Why the floor may rise. Whoever inserts into the outbox locks the table for that (ROW EXCLUSIVE, which keeps nobody out), before the row gets
 * its id, and keeps the lock until the transaction has ended and can be seen. Now read, one after the other,
 *   M, the last value that the sequence gave out, then
 *   W, the transactions that have that lock.
 * Ids are given out one at a time (CACHE 1), so whoever has an id up to M had it before M was read, and had the lock before that; it is in W, or it has
 * ended. Once all of W have ended, any statement sees all rows up to M that were ever committed; ids up to M that it does not see were rolled
 * back or deleted. So a sweep made then is the last one that M needs: the floor rises to M, or to the cursor where that is lower.
 *   (Snapshots alone could tell it too, once all that ran when M was read have ended. But that would be the writers of all tables of all
 *   databases of the server; this is those of the outbox.)
 * Rows that were read are in memory (`known`) until they are deleted; rows that are held are found by their own index. Neither needs
 * the floor. A new owner starts at 0.
 *
 * Why there is a floor. As long as any snapshot in the database is older than their deletion, deleted rows stay in the index, and each scan
 * from the start walks over all of them. A floor that follows the cursor keeps that walk to what was deleted in the last fraction of a
 * second, however old the snapshot. What can hold the floor back is a transaction that stays open after it wrote events: then the way
 * grows, and its sweeps take their share of the time and no more.
 */
export type Reader = {
  /** Up to `room` rows, within an aggregate in the order of their ids. `more`: there may be more right now. */
  read(room: number): Promise<Found>;
  /** Something may have been committed: the next read looks for it. */
  expectLate(): void;
  /** When the sweep that is wanted may run, in milliseconds from now; undefined when none is wanted. */
  sweepIn(): number | undefined;
  /** From now on rows may be held in the database, and scans must ask. */
  setHeldExists(exists: boolean): void;
  position(): { floor: number; cursor: number };
  /** The last id that was given out. */
  lastId(): Promise<number>;
};

/** With whether it was committed before a `Look`. */
type SeenRow = [...RawRow, string];

export type Found = { rows: Row[]; more: boolean };

/** What a sweep may have seen: ids that were given out, and transactions that had ended, before its own snapshot. */
type Look = { lastId: number; snapshot: string };

type Mark = { lastId: number; writers: string[]; settled: boolean };

export type ReaderOptions = {
  connection: OwnerConnection;
  /** Whether a row is in memory already. */
  known(id: number): boolean;
  /** Monotonic, in milliseconds. */
  now?: () => number;
  /** From floor to cursor: what is longer is swept only part of the time. */
  shortWay?: number;
};

/** So many ids are swept in a few milliseconds, whatever became of their rows. */
const defaultShortWay = 20_000;
/** The share of the time that sweeps of a longer way may take, so that what they covered can be published meanwhile. */
const sweepShare = 0.2;
/** How often the floor rises: each time costs two or three small statements, and leaves a quarter of a second of deleted rows to sweep. */
const markEveryMs = 250;
/** Ids that one sweep brings over; what is in flight is among them. */
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
// of a row that the sweep finds only the id: most are in memory
const sweepAndScanOf = (behindHeld: string): string => `
  (SELECT id, NULL::uuid, NULL, NULL, NULL::json, NULL::json, NULL::bigint, NULL::integer, NULL::boolean FROM outbox
   WHERE id > $1 AND id <= $2 AND next_attempt_at IS NULL ORDER BY id LIMIT ${sweepLimit})
  UNION ALL
  (SELECT ${rowColumns(behindHeld)} FROM outbox o
   WHERE o.id > $2 AND o.next_attempt_at IS NULL ORDER BY o.id LIMIT $3)`;

/** A statement for when nothing is held, and one that asks for each row whether it is behind a held one. */
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
  // the snapshot is older than the id: it is taken when the statement begins
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

  /** Must come before the sweep and the scan: they may only count on what was settled before their snapshots. */
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

  /** Nothing below the cursor can be missing. */
  async function scan(room: number): Promise<Found> {
    sweepWanted = false;
    const fresh = (await rows(sql.scan, [cursor, room])).map(toRow);
    pass(fresh, room);
    return { rows: fresh, more: fresh.length === room };
  }

  /** Between two sweeps of a long way. */
  async function scanSeen(room: number): Promise<Found> {
    // what it leaves is for the sweep
    sweepWanted = true;
    if (seen === undefined || cursor >= seen.lastId) return { rows: [], more: false };
    const found = await rows<SeenRow>(sql.scanSeen, [cursor, seen.lastId, room, seen.snapshot]);
    const more = found.length === room;
    cursor = more ? Number(found.at(-1)?.[0] ?? cursor) : seen.lastId;
    const taken = found.filter((row) => row[9] === 't');
    return { rows: taken.map(toRow), more };
  }

  /** What is not in memory from floor to cursor, and what is above the cursor, as one snapshot has it. */
  async function sweepAndScan(room: number): Promise<Found> {
    const startedAt = now();
    const isLong = cursor - floor > shortWay;
    const look = isLong ? await lookNow() : undefined;
    const found = await rows(sql.sweepAndScan, [floor, cursor, room]);
    // only what the scan found has a message id
    const swept = found.filter((row) => row[1] === null).map(([id]) => Number(id));
    const late = swept.filter((id) => !known(id));
    const taken = late.slice(0, room);
    const lateRows = taken.length === 0 ? [] : (await rows(sql.fetch, [taken])).map(toRow);
    if (isLong) nextSweepAt = now() + (now() - startedAt) * (1 / sweepShare - 1);
    sweepWanted = taken.length < late.length || swept.length === sweepLimit;
    if (sweepWanted) {
      // what was not taken may be before what the scan found
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

  /** Moves on past what was found by a statement that missed nothing up to there; where it found the end, past all that is settled. */
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
