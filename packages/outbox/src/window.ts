import { setMaxListeners } from 'node:events';
import { errorText } from '@taskwire/errors';
import { PublishError, type OutgoingMessage, type Publisher } from '@taskwire/rabbit';
import type { DatabaseClock } from './database-clock.ts';
import { toMessage, type Sender } from './message.ts';
import type { ConfirmedRow } from './published-events.ts';
import type { Row } from './rows.ts';

/**
 * A row that could not be published, and the ids of the rows that it blocks: all rows behind it in its aggregate. All of these rows wait in the
 * database.
 */
export type Blocked = { blocker: Row; reason: string; error: string; blocked: number[] };

/**
 * The rows that the relay holds in memory. They are published concurrently across aggregates and sequentially within one: the next row of an
 * aggregate is sent only when the previous one is confirmed, so that it cannot overtake a returned or nacked row.
 */
export type Window = {
  add(rows: readonly Row[]): void;
  /** Appends rows that were blocked by a row which has since been published. */
  addReleased(aggregateId: string, rows: readonly Row[]): void;
  /** Whether a row is in memory, including rows that are confirmed but not yet deleted. */
  known(id: number): boolean;
  size(): number;
  /** The approximate size of the payloads in memory. */
  bytes(): number;
  /** The number of rows that are being published or waiting for an earlier row of their aggregate. */
  unpublished(): number;
  inFlight(): number;
  /** The number of rows that are confirmed but not yet taken, and the monotonic time since which at least one exists. */
  confirmed(): { count: number; since: number };
  takeConfirmed(): ConfirmedRow[];
  hasBlocked(): boolean;
  /** Failed rows. Record them before adding rows: only then does a further row of the aggregate find them in the database. */
  takeBlocked(): Blocked[];
  /** Aggregates of which all blocked rows in memory have been published. The database may contain more blocked rows of these aggregates. */
  takeToRelease(): string[];
  /** Removes rows from memory that are deleted, or recorded as blocked. */
  forget(ids: readonly number[]): void;
  /** Marks the release of an aggregate as finished: it has no blocked rows left. */
  released(aggregateId: string): void;
  oldestCreatedAtMs(): number | undefined;
  /** Stops sending. Messages that were already sent are still confirmed or failed. */
  close(): void;
};

type Chain = {
  aggregateId: string;
  rows: Row[];
  /** Whether its rows were blocked before. */
  recovering: boolean;
  failure: { reason: string; error: string } | undefined;
  /** The number of consecutive channel losses while the aggregate's first row was being published. */
  unknown: number;
};

export type WindowOptions = {
  publisher: Publisher;
  sender: Sender;
  clock: DatabaseClock;
  maxInFlight: number;
  /** Called when rows can be taken, or when more rows can be added. */
  onProgress(): void;
};

/**
 * The loss of a channel is usually not caused by a row, and the rows in flight are sent again. A row that was in flight during this many consecutive
 * losses may be the cause (the broker may close the channel because of it), so the row is blocked to let others through.
 */
const maxUnknown = 5;
/** The publisher itself waits for its channel. This delay only prevents a busy loop when the publisher rejects at once. */
const retryAfterMs = 50;

export function createWindow({ publisher, sender, clock, maxInFlight, onProgress }: WindowOptions): Window {
  const chains = new Map<string, Chain>();
  const known = new Map<number, Row>();
  const closing = new AbortController();
  // one listener for each message that waits for the broker
  setMaxListeners(0, closing.signal);
  let ready: Chain[] = [];
  let next = 0;
  let inFlight = 0;
  let unpublished = 0;
  let bytes = 0;
  let confirmed: ConfirmedRow[] = [];
  let confirmedSince = 0;
  let blockedChains: Chain[] = [];
  let toRelease: string[] = [];

  function chainOf(aggregateId: string): Chain {
    let chain = chains.get(aggregateId);
    if (chain === undefined) {
      chain = { aggregateId, rows: [], recovering: false, failure: undefined, unknown: 0 };
      chains.set(aggregateId, chain);
    }
    return chain;
  }

  function append(chain: Chain, row: Row): void {
    known.set(row.id, row);
    bytes += row.payload.length;
    unpublished += 1;
    chain.rows.push(row);
    if (chain.rows.length === 1 && chain.failure === undefined) ready.push(chain);
  }

  function sendReady(): void {
    while (inFlight < maxInFlight && next < ready.length && !closing.signal.aborted) {
      const chain = ready[next++];
      if (chain !== undefined) send(chain);
    }
    // the part that was sent is removed only occasionally, instead of shifting the array for each row
    if (next > 1_000 || next === ready.length) {
      ready = ready.slice(next);
      next = 0;
    }
  }

  function send(chain: Chain): void {
    const row = chain.rows[0];
    if (row === undefined) return;
    let message: OutgoingMessage;
    // the estimate may be behind by more than the row's age, if the responses of the database are slow
    row.publishedAt = Math.max(clock.now(), row.createdAt);
    try {
      message = toMessage(row, sender);
    } catch (error) {
      return block(chain, 'invalid', errorText(error));
    }
    inFlight += 1;
    publisher.publish(message, { signal: closing.signal }).then(
      (outcome) => {
        inFlight -= 1;
        if (outcome === 'confirmed') confirm(chain, row);
        else block(chain, 'returned', `no queue is bound for ${row.type}`);
        sendReady();
      },
      (error: unknown) => {
        inFlight -= 1;
        failed(chain, error);
        sendReady();
      },
    );
  }

  function confirm(chain: Chain, row: Row): void {
    chain.rows.shift();
    chain.unknown = 0;
    unpublished -= 1;
    if (confirmed.length === 0) confirmedSince = performance.now();
    confirmed.push({ id: row.id, publishedAt: row.publishedAt, confirmedAt: Math.max(clock.now(), row.publishedAt) });
    if (chain.rows.length > 0) ready.push(chain);
    else if (chain.recovering) toRelease.push(chain.aggregateId);
    else chains.delete(chain.aggregateId);
    onProgress();
  }

  function failed(chain: Chain, error: unknown): void {
    if (closing.signal.aborted) return;
    const code = error instanceof PublishError ? error.code : 'invalid';
    if (code === 'unknown') chain.unknown += 1;
    const again = code === 'not_sent' || code === 'in_flight' || (code === 'unknown' && chain.unknown < maxUnknown);
    if (again) setTimeout(() => retry(chain), retryAfterMs);
    else block(chain, code, errorText(error));
  }

  function retry(chain: Chain): void {
    ready.push(chain);
    sendReady();
  }

  function block(chain: Chain, reason: string, error: string): void {
    chain.failure = { reason, error };
    blockedChains.push(chain);
    onProgress();
  }

  return {
    add(rows) {
      for (const row of rows) append(chainOf(row.aggregateId), row);
      sendReady();
    },
    addReleased(aggregateId, rows) {
      const chain = chainOf(aggregateId);
      chain.recovering = true;
      for (const row of rows) append(chain, row);
      sendReady();
    },
    known: (id) => known.has(id),
    size: () => known.size,
    bytes: () => bytes,
    unpublished: () => unpublished,
    inFlight: () => inFlight,
    confirmed: () => ({ count: confirmed.length, since: confirmedSince }),
    hasBlocked: () => blockedChains.length > 0,
    takeConfirmed() {
      const taken = confirmed;
      confirmed = [];
      return taken;
    },
    takeBlocked() {
      const taken = blockedChains.flatMap(({ aggregateId, rows: [blocker, ...behind], failure }) => {
        chains.delete(aggregateId);
        if (blocker === undefined || failure === undefined) return [];
        unpublished -= 1 + behind.length;
        return [{ blocker, ...failure, blocked: behind.map((row) => row.id) }];
      });
      blockedChains = [];
      return taken;
    },
    takeToRelease() {
      const taken = toRelease;
      toRelease = [];
      return taken;
    },
    forget(ids) {
      for (const id of ids) {
        bytes -= known.get(id)?.payload.length ?? 0;
        known.delete(id);
      }
    },
    released(aggregateId) {
      chains.delete(aggregateId);
    },
    oldestCreatedAtMs() {
      const [oldest] = known.values();
      return oldest && oldest.createdAt / 1_000;
    },
    close() {
      closing.abort(new Error('the relay stopped'));
    },
  };
}
