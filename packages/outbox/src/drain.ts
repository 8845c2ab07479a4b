import { backOffMs, type BackOff } from '@taskwire/lifecycle';
import type { Partition } from '@taskwire/partitions';
import type { Publisher } from '@taskwire/rabbit';
import type { Telemetry } from '@taskwire/telemetry';
import { createBlockedRows } from './blocked-rows.ts';
import { createDatabaseClock } from './database-clock.ts';
import { outboxMetrics, partitionLabels } from './metrics.ts';
import type { LeaderConnection } from './leader-connection.ts';
import { describeRow } from './message.ts';
import { recordPublished } from './published-events.ts';
import { createReader } from './reader.ts';
import { createWindow } from './window.ts';

export type RelayLimits = {
  /** The maximum number of rows in memory: enough for almost a second at full speed. */
  window: number;
  /**
   * Nothing more is read while the payloads in memory have this many bytes. That is 64 MiB, plus the batch that was read last, if all payloads have
   * the largest allowed size (64 KiB).
   */
  windowBytes: number;
  /**
   * The maximum number of unconfirmed publishes. RabbitMQ confirms messages of a quorum queue in batches of its log, so a larger number would only
   * delay confirms.
   */
  inFlight: number;
  /** The number of rows that one statement reads or deletes, which takes PostgreSQL a few milliseconds. */
  batch: number;
  /** Back-off between attempts of a row that cannot be published. An operator who repairs a binding waits no longer than the cap. */
  retry: BackOff;
};

export type DrainStats = { rows: number; blocked: number; oldestAgeSeconds: number };

/** One term of outbox leadership, from acquiring the lock until losing it. */
export type Drain = {
  /**
   * Publishes pending rows. Resolves when no more work is possible now, or when `signal` is aborted and all sent messages have been confirmed or have
   * failed.
   */
  round(signal: AbortSignal): Promise<void>;
  wake(): void;
  stats(): DrainStats;
  /** Stops sending. */
  close(): void;
};

export type DrainOptions = {
  connection: LeaderConnection;
  publisher: Publisher;
  appId: string;
  partition: Partition;
  limits: RelayLimits;
  telemetry: Telemetry;
};

/** A row is deleted at most this long after its confirm. All rows confirmed since then are deleted in the same statement. */
const deleteAfterMs = 10;
/**
 * While publishes are in flight, rows are read at most this often, so that busy writers do not cause one statement for each commit. Confirms take a
 * few milliseconds as well, and a lone event is read at once.
 */
const gatherMs = 5;
/** How often due retries, late rows and gauges are checked, even under load. */
const pollEveryMs = 1_000;
/** How long a stop waits for confirms. A row confirmed later is published again by the next leader, with the same id. */
const finishTimeoutMs = 3_000;

export function createDrain({ connection, publisher, appId, partition, limits, telemetry }: DrainOptions): Drain {
  const { logger } = telemetry;
  const metrics = outboxMetrics(telemetry.metrics);
  const labels = partitionLabels(partition);
  const clock = createDatabaseClock();
  const window = createWindow({
    ...{
      publisher,
      clock,
      sender: { appId, partition, sourceEpoch: connection.sourceEpoch },
      maxInFlight: limits.inFlight,
    },
    onProgress: () => wakeIfDue(),
  });
  const reader = createReader({ connection, partition, known: window.known, clock });
  const blockedRows = createBlockedRows(connection, partition);
  let blockedOnRead: number[] = [];
  let more = true;
  let readAt = -Infinity;
  let wasFull = true;
  let polledAt = -Infinity;
  let woken = false;
  let lastId = 0;
  let interruptSleep: (() => void) | undefined;

  const capacity = (): number => (window.bytes() >= limits.windowBytes ? 0 : limits.window - window.size());
  const now = (): number => performance.now();

  function flushDue(): boolean {
    if (window.hasBlocked() || blockedOnRead.length > 0) return true;
    const { count, since } = window.confirmed();
    return count >= limits.batch || (count > 0 && now() - since >= deleteAfterMs);
  }

  function readWanted(): boolean {
    return (more && capacity() >= limits.batch) || (reader.rescanDue() && capacity() > 0);
  }

  /** When the next read may start. A backlog is read without pauses. */
  function gatheredAt(): number {
    return wasFull || window.inFlight() === 0 ? -Infinity : readAt + gatherMs;
  }

  function readDue(): boolean {
    return readWanted() && now() >= gatheredAt();
  }

  function wakeIfDue(): void {
    if (interruptSleep !== undefined && (window.unpublished() === 0 || flushDue() || readDue())) interruptSleep();
  }

  /** Order matters: record blocked rows before asking whether an aggregate still has any. */
  async function flush(): Promise<void> {
    const confirmed = window.takeConfirmed();
    // both are taken together: an aggregate's next blocked rows may be read only after its last published row is deleted; otherwise that row would be
    // read again
    const toRelease = window.takeToRelease();
    if (confirmed.length > 0) {
      await recordPublished(connection, confirmed);
      window.forget(confirmed.map(({ id }) => id));
      metrics.published.inc(confirmed.length);
    }
    if (window.hasBlocked() || blockedOnRead.length > 0) await recordBlocked();
    if (toRelease.length > 0) await release(toRelease);
  }

  async function recordBlocked(): Promise<void> {
    const failed = window.takeBlocked();
    const blocked = failed.flatMap((entry) => entry.blocked).concat(blockedOnRead);
    blockedOnRead = [];
    for (const { blocker, reason, error } of failed) {
      if (reason === 'returned') metrics.returned.inc();
      metrics.failures.inc({ reason });
      logger.error('an event cannot be published; its aggregate waits', {
        ...describeRow(blocker),
        attempts: blocker.attempts + 1,
        reason,
        error,
      });
    }
    reader.setBlockedExist(true);
    const blockers = failed.map(({ blocker: { id, attempts }, error }) => ({
      id,
      error,
      waitMs: backOffMs(attempts + 1, limits.retry),
    }));
    await blockedRows.record(blockers, blocked);
    window.forget([...blockers.map(({ id }) => id), ...blocked]);
  }

  async function release(aggregateIds: string[]): Promise<void> {
    const rows = await blockedRows.firstOf(aggregateIds, Math.max(1, Math.floor(capacity() / aggregateIds.length)));
    for (const id of aggregateIds) {
      const next = rows.get(id);
      if (next === undefined) window.released(id);
      else window.addReleased(id, next);
    }
  }

  async function read(): Promise<void> {
    readAt = now();
    const found = await reader.read(Math.min(limits.batch, capacity()));
    more = wasFull = found.more;
    const fresh = found.rows.filter((row) => !row.isBlocked);
    blockedOnRead.push(...found.rows.filter((row) => row.isBlocked).map((row) => row.id));
    window.add(fresh);
  }

  async function poll(): Promise<void> {
    polledAt = now();
    more = true;
    reader.expectLateCommits();
    lastId = await reader.lastId();
    const exist = await blockedRows.exist();
    reader.setBlockedExist(exist);
    if (exist) {
      const due = await blockedRows.dueBlockers(limits.batch + window.size());
      const retried = due.filter((row) => !window.known(row.id)).slice(0, Math.max(0, capacity()));
      for (const row of retried) window.addReleased(row.aggregateId, [row]);
    }
    report(stats());
  }

  function stats(): DrainStats {
    const { cursor } = reader.position();
    const oldest = Math.min(window.oldestCreatedAtMs() ?? Infinity, blockedRows.oldestCreatedAtMs() ?? Infinity);
    return {
      rows: window.unpublished() + Math.max(0, lastId - cursor) + blockedRows.count(),
      blocked: blockedRows.count(),
      oldestAgeSeconds: oldest === Infinity ? 0 : Math.max(0, (Date.now() - oldest) / 1000),
    };
  }

  function report({ rows, blocked, oldestAgeSeconds }: DrainStats): void {
    metrics.rows.set(labels, rows);
    metrics.blocked.set(labels, blocked);
    metrics.oldestAge.set(labels, oldestAgeSeconds);
  }

  async function sleepUntilDue(): Promise<void> {
    if (flushDue()) return;
    const waits = [polledAt + pollEveryMs - now()];
    const { count, since } = window.confirmed();
    if (count > 0) waits.push(since + deleteAfterMs - now());
    if (readWanted()) waits.push(gatheredAt() - now());
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, Math.min(...waits)));
      interruptSleep = () => {
        interruptSleep = undefined;
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Sends no more messages, and deletes rows that are confirmed within the timeout. */
  async function finish(): Promise<void> {
    window.close();
    const deadline = now() + finishTimeoutMs;
    // the sleep ends at once while a flush is due
    while (window.inFlight() > 0 && now() < deadline) await (flushDue() ? flush() : sleepUntilDue());
    await flush();
  }

  connection.lost.addEventListener('abort', () => {
    window.close();
    interruptSleep?.();
  });

  return {
    async round(signal) {
      const onAbort = (): void => interruptSleep?.();
      signal.addEventListener('abort', onAbort);
      try {
        // a wake-up announces rows, which a read finds; work that only a poll finds may wait for the next regular poll
        if (!woken) polledAt = -Infinity;
        woken = false;
        for (;;) {
          connection.lost.throwIfAborted();
          if (signal.aborted) return await finish();
          if (now() - polledAt >= pollEveryMs) await poll();
          if (flushDue()) await flush();
          if (readDue()) await read();
          else if (window.unpublished() === 0 && !more && !reader.rescanDue()) {
            await flush();
            if (window.size() === 0 && !more) return report(stats());
          } else await sleepUntilDue();
        }
      } finally {
        signal.removeEventListener('abort', onAbort);
      }
    },
    wake() {
      woken = true;
      more = true;
      reader.expectLateCommits();
      wakeIfDue();
    },
    stats,
    close: window.close,
  };
}
