import type amqp from 'amqplib/callback_api';
import type { Options } from 'amqplib';
import type { Connection } from './connection.ts';

/** A channel that is open. Its end, also through the end of its connection, aborts `ended` with the reason. */
export type OpenChannel<C extends amqp.Channel = amqp.Channel> = { channel: C; ended: AbortSignal };

/** What a topology function may do. Each call resolves when the broker has done it, and rejects when it refuses or does not answer in time. */
export type TopologyChannel = {
  /**
   * Resolves when the exchange is there. One that is missing is declared, which the login of a service may not do: exchanges are the operator's
   * (infra/rabbitmq). One that is there is left as it is, and needs no permission.
   */
  ensureExchange(name: string, type: 'topic' | 'direct', options?: Options.AssertExchange): Promise<void>;
  assertExchange(name: string, type: 'topic' | 'direct' | 'fanout', options?: Options.AssertExchange): Promise<void>;
  assertQueue(name: string, options?: Options.AssertQueue): Promise<void>;
  bindQueue(queue: string, exchange: string, routingKey: string): Promise<void>;
  unbindQueue(queue: string, exchange: string, routingKey: string): Promise<void>;
};

/** Declares exchanges, queues and bindings. Run anew for every connection and after every lost channel, so it must be idempotent. */
export type Topology = (channel: TopologyChannel) => Promise<void>;

/** A declaration of a quorum queue waits for an election; anything beyond this is a broker that hangs. */
const answerTimeoutMs = 10_000;

export async function openChannel(connection: Connection): Promise<OpenChannel> {
  return await open(connection, (opened) => connection.amqp.createChannel(opened));
}

export async function openConfirmChannel(connection: Connection): Promise<OpenChannel<amqp.ConfirmChannel>> {
  return await open(connection, (opened) => connection.amqp.createConfirmChannel(opened));
}

/** Runs the topology on a channel of its own, so that a refused declaration (406) closes no other. */
export async function declareTopology(connection: Connection, topology: Topology): Promise<void> {
  const { channel } = await openChannel(connection);
  const call = (what: string, run: (done: Answer<unknown>) => void): Promise<void> =>
    answer<unknown>(connection, what, run).then(() => undefined);
  const assertExchange: TopologyChannel['assertExchange'] = (name, type, options = {}) =>
    call(`exchange ${name}`, (done) => channel.assertExchange(name, type, options, done));
  await topology({
    async ensureExchange(name, type, options) {
      if (await exchangeExists(connection, name)) return;
      await assertExchange(name, type, options).catch((error: unknown) => {
        const remedy = `the exchange ${name} is missing and has to be made by the operator (infra/rabbitmq/README.md)`;
        throw codeOf(error) === accessRefused ? new Error(remedy, { cause: error }) : error;
      });
    },
    assertExchange,
    assertQueue: (name, options = {}) => call(`queue ${name}`, (done) => channel.assertQueue(name, options, done)),
    bindQueue: (queue, exchange, key) =>
      call(`binding of ${queue} to ${key}`, (done) => channel.bindQueue(queue, exchange, key, {}, done)),
    unbindQueue: (queue, exchange, key) =>
      call(`unbinding of ${queue} from ${key}`, (done) => channel.unbindQueue(queue, exchange, key, {}, done)),
  });
  await closeChannel(connection, channel);
}

/** Asks on a channel of its own, because the broker closes it to say no. */
async function exchangeExists(connection: Connection, name: string): Promise<boolean> {
  const { channel } = await openChannel(connection);
  try {
    await answer<unknown>(connection, `exchange ${name}`, (done) => channel.checkExchange(name, done));
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

export async function closeChannel(connection: Connection, channel: amqp.Channel): Promise<void> {
  await answer<void>(connection, 'closing of a channel', (done) => channel.close(() => done(null, undefined)));
}

/** amqplib types the error as always there; it is null when all went well. */
type Answer<T> = (error: Error | null, ok: T) => void;

/**
 * One request to the broker. No answer in time means that nothing on this connection can be trusted any more: it is destroyed, and
 * whoever uses it starts anew.
 */
export function answer<T>(connection: Connection, what: string, run: (done: Answer<T>) => void): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const settle = (finish: () => void): void => {
      clearTimeout(timer);
      connection.ended.removeEventListener('abort', onEnd);
      finish();
    };
    const onEnd = (): void => settle(() => reject(connection.ended.reason));
    const timer = setTimeout(() => {
      connection.destroy(new Error(`RabbitMQ did not answer within ${answerTimeoutMs} ms: ${what}`));
    }, answerTimeoutMs);
    if (connection.ended.aborted) return onEnd();
    connection.ended.addEventListener('abort', onEnd, { once: true });
    try {
      run((error, ok) => settle(() => (error === null ? resolve(ok) : reject(error))));
    } catch (error) {
      // the channel or the connection closed a moment ago: amqplib throws at once
      settle(() => reject(error));
    }
  });
}

async function open<C extends amqp.Channel>(
  connection: Connection,
  create: (opened: (error: Error | null, channel: C) => void) => C,
): Promise<OpenChannel<C>> {
  const ended = new AbortController();
  const channel = await answer<C>(connection, 'opening of a channel', (done) => {
    let lastError: Error | undefined;
    const created = create(done);
    // attached before the broker can answer: a channel without an error listener throws
    created.on('error', (error: Error) => (lastError = error));
    created.on('close', () => ended.abort(lastError ?? new Error('the channel was closed')));
  });
  if (connection.ended.aborted) ended.abort(connection.ended.reason);
  connection.ended.addEventListener('abort', () => ended.abort(connection.ended.reason), { signal: ended.signal });
  return { channel, ended: ended.signal };
}
