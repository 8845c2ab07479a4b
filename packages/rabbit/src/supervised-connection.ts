import { raceAbort, untilAborted } from '@taskwire/lifecycle';
import type { Telemetry } from '@taskwire/telemetry';
import { openConnection, type Connection } from './connection.ts';
import { rabbitMetrics } from './metrics.ts';
import { supervise } from './supervise.ts';

/** A connection that is re-established whenever it is lost. */
export type SupervisedConnection = {
  start(): void;
  /** Resolves to the connection once it is established. @throws the signal's reason. */
  get(signal: AbortSignal): Promise<Connection>;
  up(): boolean;
  stop(): Promise<void>;
};

export type SupervisedConnectionOptions = {
  url: string;
  /** The name of the process, shown in the broker's list of connections. */
  name: string;
  purpose: 'publish' | 'consume';
  telemetry: Telemetry;
};

export function createSupervisedConnection({
  url,
  name,
  purpose,
  telemetry,
}: SupervisedConnectionOptions): SupervisedConnection {
  const metrics = rabbitMetrics(telemetry.metrics);
  const label = { connection: purpose };
  let next = Promise.withResolvers<Connection>();
  let current: Connection | undefined;
  let supervisor: { stop(): Promise<void> } | undefined;

  async function session(signal: AbortSignal): Promise<void> {
    const connection = await openConnection({ url, name: `${name} ${purpose}`, signal });
    current = connection;
    metrics.connectionUp.set(label, 1);
    metrics.connectionBlocked.set(label, connection.blocked() ? 1 : 0);
    connection.onBlockedChange((blocked) => {
      metrics.connectionBlocked.set(label, blocked ? 1 : 0);
      telemetry.logger.warn(`RabbitMQ ${blocked ? 'has blocked' : 'has unblocked'} the ${purpose} connection`);
    });
    telemetry.logger.info(`RabbitMQ: ${purpose} connection established`);
    next.resolve(connection);
    try {
      await untilAborted(connection.ended, signal);
    } finally {
      current = undefined;
      next = Promise.withResolvers();
      metrics.connectionUp.set(label, 0);
      metrics.connectionBlocked.set(label, 0);
      if (signal.aborted) await connection.close();
    }
  }

  return {
    start() {
      metrics.connectionUp.set(label, 0);
      supervisor ??= supervise({
        what: `${purpose} connection`,
        session,
        logger: telemetry.logger,
        onLost: () => metrics.connectionsLost.inc(label),
      });
    },
    get: async (signal) => await raceAbort(next.promise, signal),
    up: () => current !== undefined,
    async stop() {
      await supervisor?.stop();
      supervisor = undefined;
    },
  };
}
