import type amqp from 'amqplib/callback_api';
import { setTimeout as delay } from 'node:timers/promises';
import type { Telemetry } from '@taskwire/telemetry';
import { answer, closeChannel, openChannel, type Answer } from './channel.ts';
import type { Connection } from './connection.ts';
import { rabbitMetrics } from './metrics.ts';
import type { Topology, TopologyChannel } from './topology.ts';

/**
 * Declares a process's topology on a connection: `everything`, which also verifies the arguments of existing queues, or only the queues that are
 * `missing`, and all bindings. Rejects if the broker refuses, or if the connection ends.
 */
export type Declare = (connection: Connection, extent: 'everything' | 'missing') => Promise<void>;

/**
 * How long a deleted queue stays deleted. The broker cancels a queue's consumers soon after its deletion (within milliseconds, or tenths of a second
 * when it is busy), unless it finds the queue declared again by then. In that case it subscribes their channels to the new queue without notifying
 * them, and RabbitMQ 3.10 drops the messages that the queue delivers to them: each consumer looks active and holds `prefetch` messages, but receives
 * none. Quorum queues refuse the argument that would prevent this, `x-cancel-on-ha-failover` (`queue_down_consumer_action` in rabbit_channel.erl).
 * With a longer pause, more messages would be lost.
 */
const cancellationMs = 1_000;

/**
 * Declares on a dedicated channel, so that a refused declaration (406) closes no other channel. If a queue that this process has declared before no
 * longer exists, the loss is counted and logged, because the queue's messages are lost too, and the queue is declared again once its consumers have
 * been cancelled.
 */
export function createDeclare({ topology, mayDeclare, telemetry }: DeclareOptions): Declare {
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
    if (!mayDeclare()) throw new Error('the queues are being changed; this process may not declare them now');
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
      bindQueue: (queue, exchange, key, headers) =>
        call(`binding of ${queue} to ${headers?.partition ?? key}`, (done) =>
          channel.bindQueue(queue, exchange, key, { ...headers }, done),
        ),
      bindExchange: (destination, source, key) =>
        call(`binding of ${destination} to ${key}`, (done) => channel.bindExchange(destination, source, key, {}, done)),
      unbindQueue: (queue, exchange, key) =>
        call(`unbinding of ${queue} from ${key}`, (done) => channel.unbindQueue(queue, exchange, key, {}, done)),
    });
    try {
      await declaring;
    } finally {
      // the broker closes the channel when it refuses a declaration; after other failures the channel would stay open
      if (!ended.aborted) await closeChannel(connection, channel).catch(() => undefined);
    }
  };
}

export type DeclareOptions = { topology: Topology; mayDeclare: () => boolean; telemetry: Telemetry };

/** Checks on a dedicated channel, because the broker closes the channel if the object does not exist. */
async function exists(
  connection: Connection,
  what: string,
  ask: (channel: amqp.Channel, done: Answer<unknown>) => void,
): Promise<boolean> {
  const { channel } = await openChannel(connection);
  try {
    await answer<unknown>(connection, what, (done) => ask(channel, done));
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
  await closeChannel(connection, channel);
  return true;
}

/** Reply codes of AMQP 0-9-1. */
const accessRefused = 403;
const notFound = 404;

export function isNotFound(error: unknown): boolean {
  return codeOf(error) === notFound;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
