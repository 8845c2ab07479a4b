import { errorText } from '@taskwire/errors';
import { createLoop, type Component, type Progress } from '@taskwire/lifecycle';
import type { Partition, Partitions } from '@taskwire/partitions';
import type { Publisher } from '@taskwire/rabbit';
import type { Telemetry } from '@taskwire/telemetry';
import { createDrain, type Drain, type DrainStats, type RelayLimits } from './drain.ts';
import { outboxMetrics, partitionLabels } from './metrics.ts';
import { openLeaderConnection, type LeaderConnection } from './leader-connection.ts';

/** Publishes the rows of an outbox. One process at a time is the leader (of each partition, if there are several); the others are standbys. */
export type Relay = Component & {
  /** A hint that rows were committed. Processes that may not be the leader use `createNotifier` instead. */
  wake(): void;
  /**
   * Runs one round, for tests: acquires leadership if it is free, and publishes until no more work is possible now. Resolves when every row is either
   * confirmed and deleted, or recorded as failed. Does nothing while another process is the leader.
   */
  tick(): Promise<Progress>;
  /** Whether this process is the leader; with partitions, the leader of every partition. */
  isLeader(): boolean;
  /** The approximate number of pending rows, as known to the leader; zeros in other processes. */
  stats(): DrainStats;
};

export type RelayOptions = {
  /** The relay opens its own connection, because the lock must be released whenever this connection ends. */
  databaseUrl: string;
  publisher: Publisher;
  telemetry: Telemetry;
  /** The AMQP app_id: the name of the service. */
  appId: string;
  /** Default: the outbox has one partition. */
  partitions?: Partitions;
  /**
   * Called before this process becomes leader, and again when it has the lock. If the result is undefined, the process may not publish now. When the
   * returned signal is aborted, the relay stops sending and releases the lock. Default: always permitted.
   */
  permission?: () => Promise<AbortSignal | undefined>;
  limits?: Partial<RelayLimits>;
};

const defaultLimits: RelayLimits = {
  window: 4_000,
  windowBytes: 67_108_864,
  inFlight: 2_000,
  batch: 1_000,
  retry: { baseMs: 1_000, capMs: 60_000 },
};

/** The interval at which the leader polls, and at which a standby tries the lock. */
const pollMs = 1_000;
/**
 * How long a stop waits for confirms and for the database, within the time that a process has to end (8 s). After that, the connection is closed.
 * Rows that were confirmed but could not be deleted are published again, with the same ids.
 */
const stopTimeoutMs = 4_000;

/**
 * Delivers at least once, in order within an aggregate: a row is deleted only after RabbitMQ has confirmed its message without returning it, and only
 * then is the next row of its aggregate sent. A row that cannot be published is retried with back-off and blocks only its own aggregate. A process
 * that dies is replaced within 5 s; messages that it sent without receiving a confirm are sent again, with the same message id.
 */
export function createRelay(options: RelayOptions): Relay {
  const { count, served } = options.partitions ?? { count: 1, served: [0] };
  const relays = served.map((index) => createPartitionRelay(options, { index, count }));
  const each = async (work: (relay: Relay) => Promise<unknown>): Promise<void> =>
    void (await Promise.all(relays.map(work)));
  return {
    name: 'outbox relay',
    start: async () => await each((relay) => relay.start()),
    stop: async () => await each((relay) => relay.stop()),
    async tick() {
      await each((relay) => relay.tick());
      return 'idle';
    },
    wake: () => relays.forEach((relay) => relay.wake()),
    // while another process leads a partition, that process needs notifications
    isLeader: () => relays.length === count && relays.every((relay) => relay.isLeader()),
    stats() {
      const stats = relays.map((relay) => relay.stats());
      return {
        rows: stats.reduce((sum, { rows }) => sum + rows, 0),
        blocked: stats.reduce((sum, { blocked }) => sum + blocked, 0),
        oldestAgeSeconds: Math.max(0, ...stats.map(({ oldestAgeSeconds }) => oldestAgeSeconds)),
      };
    },
  };
}

const always = new AbortController().signal;

function createPartitionRelay(options: RelayOptions, partition: Partition): Relay {
  const { databaseUrl, publisher, telemetry, appId, limits, permission = async () => always } = options;
  const { logger } = telemetry;
  const metrics = outboxMetrics(telemetry.metrics);
  const labels = partitionLabels(partition);
  const leadership = partition.count === 1 ? 'outbox leadership' : `outbox leadership of partition ${partition.index}`;
  let connection: LeaderConnection | undefined;
  let drain: Drain | undefined;
  let term = always;

  const loop = createLoop({ name: 'outbox relay', tick: round, intervalMs: pollMs, maxBackOffMs: 5_000, logger });

  async function connect(): Promise<LeaderConnection> {
    if (connection !== undefined) return connection;
    const opened = await openLeaderConnection({ url: databaseUrl, name: `taskwire ${appId} relay`, onNotify: wake });
    // An abort that happened before the listener was added is never delivered: check the signal immediately before relying on it.
    opened.lost.throwIfAborted();
    connection = opened;
    opened.lost.addEventListener('abort', () => {
      if (connection === opened) connection = undefined;
      if (drain !== undefined) logger.warn(`lost ${leadership}`, { reason: errorText(opened.lost.reason) });
      resign();
      loop.wake();
    });
    return opened;
  }

  function resign(): void {
    drain?.close();
    drain = undefined;
    for (const gauge of [metrics.leader, metrics.rows, metrics.blocked, metrics.oldestAge]) gauge.set(labels, 0);
  }

  async function round(signal: AbortSignal): Promise<Progress> {
    if (signal.aborted) return 'idle';
    const current = await connect();
    if (drain === undefined && !(await lead(current))) return 'idle';
    await roundUntil(signal, term);
    if (term.aborted && !signal.aborted) {
      logger.info(`resigned ${leadership}`, { reason: errorText(term.reason) });
      resign();
      await current.close();
    }
    return 'idle';
  }

  /** Becomes the leader if the lock is free and this process may publish. */
  async function lead(current: LeaderConnection): Promise<boolean> {
    if ((await permission()) === undefined || !(await current.tryLock(partition))) return false;
    // a change of partitions first forbids publishing and then takes the lock, so only a permission obtained under the lock is valid
    const permitted = await permission();
    if (permitted === undefined) {
      await current.close();
      return false;
    }
    current.lost.throwIfAborted();
    term = permitted;
    drain = createDrain({
      ...{ connection: current, publisher, appId, partition, telemetry },
      limits: { ...defaultLimits, ...limits },
    });
    metrics.leader.set(labels, 1);
    logger.info(`acquired ${leadership}`);
    return true;
  }

  /** Both signals outlive the round, so the round's listeners are removed: AbortSignal.any would keep one for each round. */
  async function roundUntil(...signals: readonly AbortSignal[]): Promise<void> {
    const end = new AbortController();
    const onAbort = (): void => end.abort();
    for (const signal of signals) signal.addEventListener('abort', onAbort);
    if (signals.some((signal) => signal.aborted)) end.abort();
    try {
      await drain?.round(end.signal);
    } finally {
      for (const signal of signals) signal.removeEventListener('abort', onAbort);
    }
  }

  function wake(): void {
    drain?.wake();
    loop.wake();
  }

  resign();
  return {
    name: loop.name,
    start: loop.start,
    tick: loop.tick,
    wake,
    isLeader: () => drain !== undefined,
    stats: () => drain?.stats() ?? { rows: 0, blocked: 0, oldestAgeSeconds: 0 },
    async stop() {
      const timer = setTimeout(() => void connection?.close(), stopTimeoutMs);
      await loop.stop();
      clearTimeout(timer);
      resign();
      await connection?.close();
    },
  };
}
