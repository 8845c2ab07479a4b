import type amqp from 'amqplib/callback_api';
import { setTimeout as delay } from 'node:timers/promises';
import type { Telemetry } from '@taskwire/telemetry';
import { answer, closeChannel, openChannel, type Answer } from './channel.ts';
import type { Connection } from './connection.ts';
import { rabbitMetrics } from './metrics.ts';
import type { Topology, TopologyChannel } from './topology.ts';

/**
 * Declares a process's topology on a connection: `everything`, which also verifies the arguments of the queues that exist, or only the queues that
 * are `missing`, and all bindings. Rejects if the broker refuses, or if the connection ends.
 */
export type Declare = (connection: Connection, extent: 'everything' | 'missing') => Promise<void>;

/**
 * How long a deleted queue stays deleted. The broker cancels a queue's consumers soon after its deletion (within milliseconds, or tenths of a second
 * when it is busy), unless it finds the queue declared again by then. It subscribes their channels to the new queue instead, without a notice, and
 * RabbitMQ 3.10 drops what that queue delivers to them: each looks active, holds `prefetch` messages and receives none. Quorum queues refuse the
 * argument that would prevent this, `x-cancel-on-ha-failover` (`queue_down_consumer_action` in rabbit_channel.erl). A longer pause loses more messages.
 */
const cancellationMs = 1_000;

/**
 * Declares on a dedicated channel, so that a refused declaration (406) closes no other channel. If a queue that this process has declared before no
 * longer exists, that is counted and logged, because the messages that it held are lost, and the queue is declared again once its consumers have been
 * cancelled.
 */
export function createDeclare({ topology, telemetry }: { topology: Topology; telemetry: Telemetry }): Declare {
  const metrics = rabbitMetrics(telemetry.metrics);
  const known = new Set<string>();
  const cancellations = new Map<string, Promise<void>>();

  /** Whether a queue that this process has declared before still exists. */
  async function stillExists(connection: Connection, queue: string): Promise<boolean> {
    if (!known.has(queue)) return false;
    if (await exists(connection, `queue ${queue}`, (channel, done) => channel.checkQueue(queue, done))) return true;
    // another declaration of this process may already have reported it
    if (!known.delete(queue)) return false;
    cancellations.set(queue, delay(cancellationMs));
    metrics.topologyLost.inc({ kind: 'queue', queue });
    telemetry.logger.error(
      `the queue ${queue} was deleted; it is declared again, and the messages that it held are lost`,
      { queue },
    );
    return false;
  }

  return async (connection, extent) => {
    const { channel, ended } = await openChannel(connection);
    const call = (what: string, run: (done: Answer<unknown>) => void): Promise<void> =>
      answer<unknown>(connection, what, run).then(() => undefined);
    const assertExchange: TopologyChannel['assertExchange'] = (name, type, options = {}) =>
      call(`exchange ${name}`, (done) => channel.assertExchange(name, type, options, done));
    const declaring = topology({
      async ensureExchange(name, type, options) {
        if (await exists(connection, `exchange ${name}`, (passive, done) => passive.checkExchange(name, done))) return;
        await assertExchange(name, type, options).catch((error: unknown) => {
          const remedy = `the exchange ${name} is missing and has to be made by the operator (infra/rabbitmq/README.md)`;
          throw codeOf(error) === accessRefused ? new Error(remedy, { cause: error }) : error;
        });
      },
      assertExchange,
      async assertQueue(name, options = {}) {
        if ((await stillExists(connection, name)) && extent === 'missing') return;
        await cancellations.get(name);
        await call(`queue ${name}`, (done) => channel.assertQueue(name, options, done));
        known.add(name);
      },
      bindQueue: (queue, exchange, key) =>
        call(`binding of ${queue} to ${key}`, (done) => channel.bindQueue(queue, exchange, key, {}, done)),
      unbindQueue: (queue, exchange, key) =>
        call(`unbinding of ${queue} from ${key}`, (done) => channel.unbindQueue(queue, exchange, key, {}, done)),
    });
    try {
      await declaring;
    } finally {
      // the broker closes the channel when it refuses a declaration; after other failures it would stay open
      if (!ended.aborted) await closeChannel(connection, channel).catch(() => undefined);
    }
  };
}

/** Checks on a dedicated channel, because the broker closes the channel if the answer is no. */
async function exists(
  connection: Connection,
  what: string,
  ask: (channel: amqp.Channel, done: Answer<unknown>) => void,
): Promise<boolean> {
  const { channel } = await openChannel(connection);
  try {
    await answer<unknown>(connection, what, (done) => ask(channel, done));
  } catch (error) {
    if (codeOf(error) === notFound) return false;
    throw error;
  }
  await closeChannel(connection, channel);
  return true;
}

/** Reply codes of AMQP 0-9-1. */
const accessRefused = 403;
const notFound = 404;

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
