import { backOffMs, type BackOff } from '@taskwire/lifecycle';
import type { Publisher } from '@taskwire/rabbit';
import type { Telemetry } from '@taskwire/telemetry';
import { createHeldRows } from './held-rows.ts';
import { outboxMetrics } from './metrics.ts';
import type { OwnerConnection } from './owner-connection.ts';
import { createReader } from './reader.ts';
import { createWindow } from './window.ts';

export type RelayLimits = {
  /** The maximum number of rows in memory: enough for the better part of a second at full speed. */
  window: number;
  /**
   * Nothing more is read while the payloads in memory have this many bytes. That is 64 MiB, plus the batch that was read last, if all payloads have
   * the largest allowed size (64 KiB).
   */
  windowBytes: number;
  /**
   * The maximum number of unconfirmed publishes. RabbitMQ confirms a quorum queue in batches of its log; more in flight only makes confirms later.
   */
  inFlight: number;
  /** The number of rows that one statement reads or deletes, which takes PostgreSQL a few milliseconds. */
  batch: number;
  /** Back-off between attempts of a row that cannot be published. An operator who repairs a binding waits no longer than the cap. */
  retry: BackOff;
};

export type DrainStats = { rows: number; held: number; oldestAgeSeconds: number };

/** One term of outbox leadership, from acquiring the lock until losing it. */
export type Drain = {
  /** Publishes pending rows. Resolves when nothing is left to do now, or when `signal` is aborted and the sent messages are settled. */
  round(signal: AbortSignal): Promise<void>;
  wake(): void;
  stats(): DrainStats;
  /** Stops sending. */
  close(): void;
};

export type DrainOptions = {
  connection: OwnerConnection;
  publisher: Publisher;
  appId: string;
  limits: RelayLimits;
  telemetry: Telemetry;
};

/** A row is deleted at most this long after its confirm. All rows confirmed since then are deleted in the same statement. */
const deleteAfterMs = 10;
/** How often due retries, late rows and gauges are checked, even under load. */
const pollEveryMs = 1_000;
/** How long a stop waits for confirms. A row confirmed later is published again by the next leader, with the same id. */
const settleTimeoutMs = 3_000;

const deleteSql = { name: 'outbox delete', text: 'DELETE FROM outbox WHERE id = ANY ($1::bigint[])' };

export function createDrain({ connection, publisher, appId, limits, telemetry }: DrainOptions): Drain {
  const { logger } = telemetry;
  const metrics = outboxMetrics(telemetry.metrics);
  const window = createWindow({ publisher, appId, maxInFlight: limits.inFlight, onProgress: () => pokeIfDue() });
  const reader = createReader({ connection, known: window.known });
  const heldRows = createHeldRows(connection);
  let followers: number[] = [];
  let more = true;
  let polledAt = -Infinity;
  let lastId = 0;
  let poke: (() => void) | undefined;

  const room = (): number => (window.bytes() >= limits.windowBytes ? 0 : limits.window - window.size());
  const now = (): number => performance.now();

  function flushDue(): boolean {
    if (window.hasHeld() || followers.length > 0) return true;
    const { count, since } = window.confirmed();
    return count >= limits.batch || (count > 0 && now() - since >= deleteAfterMs);
  }

  function readDue(): boolean {
    return (more && room() >= limits.batch) || (reader.sweepIn() === 0 && room() > 0);
  }

  function pokeIfDue(): void {
    if (poke !== undefined && (window.unpublished() === 0 || flushDue() || readDue())) poke();
  }

  /** Order matters: persist followers before asking whether an aggregate still has blocked rows. */
  async function flush(): Promise<void> {
    const confirmed = window.takeConfirmed();
    // taken together: an aggregate's next blocked rows are read only after its last published row is deleted, or that row would be read again
    const toRelease = window.takeToRelease();
    if (confirmed.length > 0) {
      await connection.run(deleteSql, [confirmed]);
      window.forget(confirmed);
      metrics.published.inc(confirmed.length);
    }
    if (window.hasHeld() || followers.length > 0) await hold();
    if (toRelease.length > 0) await release(toRelease);
  }

  async function hold(): Promise<void> {
    const failed = window.takeHeld();
    const behind = failed.flatMap((entry) => entry.followers).concat(followers);
    followers = [];
    for (const { head, reason, error } of failed) {
      if (reason === 'returned') metrics.returned.inc();
      metrics.failures.inc({ reason });
      logger.error('an event cannot be published; its aggregate waits', {
        message_id: head.messageId,
        type: head.type,
        aggregate_id: head.aggregateId,
        attempts: head.attempts + 1,
        reason,
        error,
      });
    }
    reader.setHeldExists(true);
    await heldRows.hold(
      failed.map(({ head, error }) => ({ id: head.id, error, waitMs: backOffMs(head.attempts + 1, limits.retry) })),
      behind,
    );
    window.forget([...failed.map(({ head }) => head.id), ...behind]);
  }

  async function release(aggregateIds: string[]): Promise<void> {
    const rows = await heldRows.behind(aggregateIds, Math.max(1, Math.floor(room() / aggregateIds.length)));
    for (const id of aggregateIds) {
      const next = rows.get(id);
      if (next === undefined) window.released(id);
      else window.addReleased(id, next);
    }
  }

  async function read(): Promise<void> {
    const found = await reader.read(Math.min(limits.batch, room()));
    more = found.more;
    const fresh = found.rows.filter((row) => !row.behindHeld);
    followers.push(...found.rows.filter((row) => row.behindHeld).map((row) => row.id));
    window.add(fresh);
  }

  async function poll(): Promise<void> {
    polledAt = now();
    more = true;
    reader.expectLate();
    lastId = await reader.lastId();
    const exists = await heldRows.exists();
    reader.setHeldExists(exists);
    if (exists) {
      const due = await heldRows.due(limits.batch + window.size());
      const untried = due.filter((row) => !window.known(row.id)).slice(0, Math.max(0, room()));
      for (const row of untried) window.addReleased(row.aggregateId, [row]);
    }
    show(stats());
  }

  function stats(): DrainStats {
    const { cursor } = reader.position();
    const oldest = Math.min(window.oldestCreatedAtMs() ?? Infinity, heldRows.oldestCreatedAtMs() ?? Infinity);
    return {
      rows: window.unpublished() + Math.max(0, lastId - cursor) + heldRows.count(),
      held: heldRows.count(),
      oldestAgeSeconds: oldest === Infinity ? 0 : Math.max(0, (Date.now() - oldest) / 1000),
    };
  }

  function show({ rows, held: heldCount, oldestAgeSeconds }: DrainStats): void {
    metrics.rows.set(rows);
    metrics.held.set(heldCount);
    metrics.oldestAge.set(oldestAgeSeconds);
  }

  async function nap(): Promise<void> {
    if (flushDue()) return;
    // a sweep waits until there is room for the rows that it may find
    const sweepIn = room() > 0 ? reader.sweepIn() : undefined;
    const waits = [polledAt + pollEveryMs - now(), sweepIn ?? Infinity];
    const { count, since } = window.confirmed();
    if (count > 0) waits.push(since + deleteAfterMs - now());
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, Math.min(...waits)));
      poke = () => {
        poke = undefined;
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Sends nothing new, and deletes rows that are confirmed within the timeout. */
  async function settle(): Promise<void> {
    window.close();
    const deadline = now() + settleTimeoutMs;
    // a nap ends at once while a flush is due
    while (window.inFlight() > 0 && now() < deadline) await (flushDue() ? flush() : nap());
    await flush();
  }

  connection.lost.addEventListener('abort', () => {
    window.close();
    poke?.();
  });

  return {
    async round(signal) {
      const onAbort = (): void => poke?.();
      signal.addEventListener('abort', onAbort);
      try {
        polledAt = -Infinity;
        for (;;) {
          connection.lost.throwIfAborted();
          if (signal.aborted) return await settle();
          if (now() - polledAt >= pollEveryMs) await poll();
          if (flushDue()) await flush();
          if (readDue()) await read();
          else if (window.unpublished() === 0 && !more && reader.sweepIn() === undefined) {
            await flush();
            if (window.size() === 0 && !more) return show(stats());
          } else await nap();
        }
      } finally {
        signal.removeEventListener('abort', onAbort);
      }
    },
    wake() {
      more = true;
      reader.expectLate();
      poke?.();
    },
    stats,
    close: window.close,
  };
}
