import type { OwnerConnection } from './owner-connection.ts';
import { isBehindHeld, rowColumns, toRow, type RawRow, type Row } from './rows.ts';

/**
 * Reads rows to publish, each once, and misses none although ids commit out of order.
 *
 * Two positions. Below `cursor` rows have been read, save those that were not committed yet when the scan passed them. Below `floor` there
 * is nothing left to read, for ever. The scan goes on from the cursor; a sweep between floor and cursor finds what was committed late. A row
 * is never found by "id > last seen" alone.
 *
 * Why the scan has an end. A late row and a row of the same aggregate that comes after it may be committed in the same instant: the scan would
 * find the second, above the cursor, before a sweep finds the first, below it. So the scan goes no further than `covered`: the last value of
 * the sequence, read before the snapshot of a complete sweep. A row up to there has an id from before that sweep. The one before it in its
 * aggregate was committed before that id was given out (its lock was held until then), so the sweep has seen it, or this scan will.
 *
 * And why it leaves some rows to the sweep. The one before it may also be of the same transaction, and be committed with it after that sweep,
 * below the cursor. So what the scan takes was committed before the sweep looked (`settledBy`, a snapshot from before its own). The cursor passes the
 * rest, which the next sweep finds together with what belongs before it. Only when nothing is left below the cursor does the scan take all that it sees.
 *
 * Why the floor may rise. A transaction that writes an outbox row gets its xid before the row's id, because `xid` is the first column and
 * defaults are evaluated in the order of the columns. Now read, one after the other,
 *   M, the last value that the sequence gave out, then
 *   X, a transaction id taken for this purpose (pg_current_xact_id() of an otherwise empty statement).
 * Ids are given out one at a time (CACHE 1), so whoever has an id up to M got it before M was read, had its xid before that, and xids
 * rise: its xid is below X. Once pg_snapshot_xmin of a later snapshot has reached X, every transaction below X has ended. Any statement
 * after that sees all rows up to M that were ever committed; ids up to M that it does not see were rolled back or deleted. So a sweep made
 * then is the last one that M needs: the floor rises to M, or to the cursor where that is lower.
 *   (pg_snapshot_xmax in place of X would be wrong: it is one past the last xid that *ended*, and a writer that still runs can be above it.)
 * Rows that were read are in memory (`known`) until they are deleted; rows that are held are found by their own index. Neither needs
 * the floor. A new owner starts at 0.
 *
 * Why there is a floor. As long as any snapshot in the database is older than their deletion, deleted rows stay in the index, and each scan
 * from the start walks over all of them. A floor that follows the cursor keeps that walk to what was deleted in the last fraction of a
 * second, however old the snapshot. What can hold the floor back is a writing transaction that stays open, of any database of the
 * server: then the sweep grows, and takes its share of the time and no more.
 */
export type Reader = {
  /** Up to `room` rows in the order of their ids. `more`: there may be more right now. */
  read(room: number): Promise<{ rows: Row[]; more: boolean }>;
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

type ScannedRow = [...RawRow, string];

type Mark = { lastId: number; xid: bigint; settled: boolean };

export type ReaderOptions = {
  connection: OwnerConnection;
  /** Whether a row is in memory already. */
  known(id: number): boolean;
  /** Monotonic, in milliseconds. */
  now?: () => number;
};

/** A sweep as short as this runs whenever it is wanted: new rows wait for it. */
const shortSweepMs = 5;
/** The share of the time that longer ones may take, so that what was covered can be published meanwhile. */
const sweepShare = 0.2;
/** How often the floor rises: each time costs three small statements and one xid, and leaves a quarter of a second of deleted rows to sweep. */
const markEveryMs = 250;
/** Ids that one sweep brings over; what is in flight is among them. */
const sweepLimit = 20_000;

const scanOf = (behindHeld: string): string => `
  SELECT ${rowColumns(behindHeld)}, pg_visible_in_snapshot(o.xid, $4::pg_snapshot) FROM outbox o
  WHERE o.id > $1 AND o.id <= $2 AND o.next_attempt_at IS NULL ORDER BY o.id LIMIT $3`;
const fetchOf = (behindHeld: string): string => `
  SELECT ${rowColumns(behindHeld)} FROM outbox o
  WHERE o.id = ANY ($1::bigint[]) AND o.next_attempt_at IS NULL ORDER BY o.id`;

const sql = {
  scan: { name: 'outbox scan', text: scanOf('false') },
  scanBesideHeld: { name: 'outbox scan beside held', text: scanOf(isBehindHeld) },
  fetch: { name: 'outbox fetch', text: fetchOf('false') },
  fetchBesideHeld: { name: 'outbox fetch beside held', text: fetchOf(isBehindHeld) },
  sweep: {
    name: 'outbox sweep',
    text: 'SELECT id FROM outbox WHERE id > $1 AND id <= $2 AND next_attempt_at IS NULL ORDER BY id LIMIT $3',
  },
  // the snapshot is older than the id: it is taken when the statement begins
  lookAround: {
    name: 'outbox look around',
    text: `SELECT CASE WHEN is_called THEN last_value ELSE 0 END, pg_current_snapshot()::text FROM outbox_id_seq`,
  },
  lastId: { name: 'outbox last id', text: 'SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM outbox_id_seq' },
  newXid: { name: 'outbox new xid', text: 'SELECT pg_current_xact_id()' },
  xmin: { name: 'outbox xmin', text: 'SELECT pg_snapshot_xmin(pg_current_snapshot())' },
};

export function createReader({ connection, known, now = () => performance.now() }: ReaderOptions): Reader {
  let floor = 0;
  let cursor = 0;
  let covered = 0;
  let settledBy = '';
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
      mark = { lastId, xid: BigInt(await value(sql.newXid)), settled: false };
    } else if (!mark.settled) {
      mark.settled = BigInt(await value(sql.xmin)) >= mark.xid;
    }
  }

  function raiseFloor(to: number): void {
    if (mark?.settled !== true) return;
    floor = Math.max(floor, Math.min(to, mark.lastId));
    if (floor >= mark.lastId) mark = undefined;
  }

  /** Looks for late rows; once none is left it covers what was given out before it looked. */
  async function sweep(room: number): Promise<Row[]> {
    const startedAt = now();
    sweepWanted = false;
    const around = await lookAround();
    if (floor === cursor) {
      ({ covered, settledBy } = around);
      return [];
    }
    const ids = (await connection.run<[string]>(sql.sweep, [floor, cursor, sweepLimit])).map(([id]) => Number(id));
    const late = ids.filter((id) => !known(id));
    const taken = late.slice(0, room);
    const rows = taken.length === 0 ? [] : await fetchRows(taken);
    const complete = taken.length === late.length && ids.length < sweepLimit;
    if (complete) {
      ({ covered, settledBy } = around);
      raiseFloor(cursor);
    } else {
      raiseFloor((taken.length < late.length ? taken.at(-1) : ids.at(-1)) ?? floor);
      sweepWanted = true;
    }
    const endedAt = now();
    const tookMs = endedAt - startedAt;
    nextSweepAt = tookMs <= shortSweepMs ? endedAt : endedAt + tookMs * (1 / sweepShare - 1);
    return rows;
  }

  async function fetchRows(ids: number[]): Promise<Row[]> {
    return (await connection.run<RawRow>(heldExists ? sql.fetchBesideHeld : sql.fetch, [ids])).map(toRow);
  }

  async function scan(limit: number): Promise<{ rows: Row[]; full: boolean }> {
    const complete = floor === cursor;
    const statement = heldExists ? sql.scanBesideHeld : sql.scan;
    const found = await connection.run<ScannedRow>(statement, [cursor, covered, limit, settledBy]);
    const taken = complete ? found : found.filter((row) => row.at(-1) === 't');
    if (taken.length < found.length) sweepWanted = true;
    const full = found.length === limit;
    // where it found the end, it passed ids that were rolled back or are not committed yet
    cursor = full ? Number(found.at(-1)?.[0] ?? cursor) : Math.max(cursor, covered);
    if (complete && mark?.settled === true) {
      // the scan saw all there is up to M, so M needs no sweep
      raiseFloor(cursor);
    }
    return { rows: taken.map((row) => toRow(row)), full };
  }

  async function lookAround(): Promise<{ covered: number; settledBy: string }> {
    const [row] = await connection.run<[string, string]>(sql.lookAround);
    if (row === undefined) throw new Error('the sequence of the outbox is not there');
    return { covered: Number(row[0]), settledBy: row[1] };
  }

  async function value(statement: { name: string; text: string }): Promise<string> {
    const [row] = await connection.run<[string]>(statement);
    if (row === undefined) throw new Error(`${statement.name} gave nothing`);
    return row[0];
  }

  const sweepIn = (): number | undefined =>
    sweepWanted ? (floor === cursor ? 0 : Math.max(0, nextSweepAt - now())) : undefined;

  return {
    async read(room) {
      await settleMark();
      const late = sweepIn() === 0 ? await sweep(room) : [];
      const limit = room - late.length;
      const fresh = limit > 0 && cursor < covered ? await scan(limit) : { rows: [], full: limit === 0 };
      if (fresh.rows.length + late.length > 0) sweepWanted = true;
      return { rows: [...late, ...fresh.rows], more: fresh.full };
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
