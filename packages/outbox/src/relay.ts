import { errorText } from '@taskwire/errors';
import { createLoop, type Component, type Progress } from '@taskwire/lifecycle';
import type { Publisher } from '@taskwire/rabbit';
import type { Telemetry } from '@taskwire/telemetry';
import { createDrain, type Drain, type DrainStats, type RelayLimits } from './drain.ts';
import { outboxMetrics } from './metrics.ts';
import { openOwnerConnection, type OwnerConnection } from './owner-connection.ts';

/** Publishes the rows of an outbox; one process at a time does, the others stand by. */
export type Relay = Component & {
  /** A hint that something was committed; see `createWaker` for processes that may not be the owner. */
  wake(): void;
  /**
   * One round, for tests: takes the outbox if nobody has it and publishes until nothing is left to do now. Resolves when what could be
   * published is confirmed and deleted, and what could not is recorded. Does nothing while another process owns the outbox.
   */
  tick(): Promise<Progress>;
  /** Whether this process owns the outbox. */
  owner(): boolean;
  /** About how many rows wait, as the owner knows it; zeros elsewhere. */
  stats(): DrainStats;
};

export type RelayOptions = {
  /** The relay opens a connection of its own: its lock must live and die with it. */
  databaseUrl: string;
  publisher: Publisher;
  telemetry: Telemetry;
  /** AMQP app_id: the name of the service. */
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

/** How often the owner polls, and a standby tries the lock. */
const pollMs = 1_000;
/**
 * How long a stop waits for confirms and for the database, within the time that a process has to end (8 s). After that the connection is closed: what was
 * confirmed and could not be deleted is published again, with the same ids.
 */
const stopTimeoutMs = 4_000;

/**
 * At least once, in order within an aggregate: a row is deleted only after RabbitMQ confirmed it and returned nothing; the next row of its
 * aggregate is sent only after that. What cannot be published is tried again with growing pauses and holds back its own aggregate alone.
 * A process that dies is replaced within 5 s; what it had sent without a confirm is sent again, with the same message id.
 */
export function createRelay({ databaseUrl, publisher, telemetry, appId, limits }: RelayOptions): Relay {
  const { logger } = telemetry;
  const metrics = outboxMetrics(telemetry.metrics);
  let connection: OwnerConnection | undefined;
  let drain: Drain | undefined;

  const loop = createLoop({ name: 'outbox relay', tick: round, intervalMs: pollMs, maxBackOffMs: 5_000, logger });

  async function connect(): Promise<OwnerConnection> {
    if (connection !== undefined) return connection;
    const opened = await openOwnerConnection({ url: databaseUrl, name: `${appId} relay`, onNotify: wake });
    // whoever is told of its end must be there before it: these checks stand directly before what relies on being told
    opened.lost.throwIfAborted();
    connection = opened;
    opened.lost.addEventListener('abort', () => {
      if (connection === opened) connection = undefined;
      if (drain !== undefined) logger.warn('lost outbox leadership', { reason: errorText(opened.lost.reason) });
      giveUp();
      loop.wake();
    });
    return opened;
  }

  function giveUp(): void {
    drain?.close();
    drain = undefined;
    for (const gauge of [metrics.owner, metrics.rows, metrics.held, metrics.oldestAge]) gauge.set(0);
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
      metrics.owner.set(1);
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
    owner: () => drain !== undefined,
    stats: () => drain?.stats() ?? { rows: 0, held: 0, oldestAgeSeconds: 0 },
    async stop() {
      const impatience = setTimeout(() => void connection?.close(), stopTimeoutMs);
      await loop.stop();
      clearTimeout(impatience);
      giveUp();
      await connection?.close();
    },
  };
}
