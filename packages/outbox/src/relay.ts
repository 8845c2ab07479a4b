import { errorText } from '@taskwire/errors';
import { createLoop, type Component, type Progress } from '@taskwire/lifecycle';
import type { Publisher } from '@taskwire/rabbit';
import type { Telemetry } from '@taskwire/telemetry';
import { createDrain, type Drain, type DrainStats, type RelayLimits } from './drain.ts';
import { outboxMetrics } from './metrics.ts';
import { openLeaderConnection, type LeaderConnection } from './leader-connection.ts';

/** Publishes the rows of an outbox. One process at a time is the leader; the others are standbys. */
export type Relay = Component & {
  /** A hint that rows were committed. Processes that may not be the leader use `createNotifier` instead. */
  wake(): void;
  /**
   * Runs one round, for tests: acquires leadership if it is free, and publishes until nothing is left to do now. Resolves when every row is either
   * confirmed and deleted, or recorded as failed. Does nothing while another process is the leader.
   */
  tick(): Promise<Progress>;
  /** Whether this process is the leader. */
  isLeader(): boolean;
  /** The approximate number of pending rows, as known to the leader; zeros in other processes. */
  stats(): DrainStats;
};

export type RelayOptions = {
  /** The relay opens its own connection, because its lock must live and die with it. */
  databaseUrl: string;
  publisher: Publisher;
  telemetry: Telemetry;
  /** The AMQP app_id: the name of the service. */
  appId: string;
  limits?: Partial<RelayLimits>;
};

const defaultLimits: RelayLimits = {
  window: 4_000,
  windowBytes: 67_108_864,
  inFlight: 2_000,
  batch: 1_000,
  retry: { baseMs: 1_000, capMs: 60_000 },
};

/** How often the leader polls, and a standby tries the lock. */
const pollMs = 1_000;
/**
 * How long a stop waits for confirms and for the database, within the time that a process has to end (8 s). After that the connection is closed. Rows
 * that were confirmed and could not be deleted are published again, with the same ids.
 */
const stopTimeoutMs = 4_000;

/**
 * Delivers at least once, in order within an aggregate: a row is deleted only after RabbitMQ confirmed it without returning it, and only then is the
 * next row of its aggregate sent. A row that cannot be published is retried with back-off and blocks only its own aggregate. A process that dies is
 * replaced within 5 s; messages that it sent without receiving a confirm are sent again, with the same message id.
 */
export function createRelay({ databaseUrl, publisher, telemetry, appId, limits }: RelayOptions): Relay {
  const { logger } = telemetry;
  const metrics = outboxMetrics(telemetry.metrics);
  let connection: LeaderConnection | undefined;
  let drain: Drain | undefined;

  const loop = createLoop({ name: 'outbox relay', tick: round, intervalMs: pollMs, maxBackOffMs: 5_000, logger });

  async function connect(): Promise<LeaderConnection> {
    if (connection !== undefined) return connection;
    const opened = await openLeaderConnection({ url: databaseUrl, name: `taskwire ${appId} relay`, onNotify: wake });
    // An abort that happened before the listener was added is never delivered: check the signal immediately before relying on it.
    opened.lost.throwIfAborted();
    connection = opened;
    opened.lost.addEventListener('abort', () => {
      if (connection === opened) connection = undefined;
      if (drain !== undefined) logger.warn('lost outbox leadership', { reason: errorText(opened.lost.reason) });
      resign();
      loop.wake();
    });
    return opened;
  }

  function resign(): void {
    drain?.close();
    drain = undefined;
    for (const gauge of [metrics.leader, metrics.rows, metrics.blocked, metrics.oldestAge]) gauge.set(0);
  }

  async function round(signal: AbortSignal): Promise<Progress> {
    if (signal.aborted) return 'idle';
    const current = await connect();
    if (drain === undefined) {
      if (!(await current.tryLock())) return 'idle';
      current.lost.throwIfAborted();
      drain = createDrain({
        connection: current,
        publisher,
        appId,
        limits: { ...defaultLimits, ...limits },
        telemetry,
      });
      metrics.leader.set(1);
      logger.info('acquired outbox leadership');
    }
    await drain.round(signal);
    return 'idle';
  }

  function wake(): void {
    drain?.wake();
    loop.wake();
  }

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
