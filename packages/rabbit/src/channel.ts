import type amqp from 'amqplib/callback_api';
import { raceAbort } from '@taskwire/lifecycle';
import type { Connection } from './connection.ts';

/** An open channel. When it closes, or its connection ends, `ended` is aborted with the reason. */
export type OpenChannel<C extends amqp.Channel = amqp.Channel> = { channel: C; ended: AbortSignal };

/** Declaring a quorum queue waits for an election; if any request takes longer than this, the broker has hung. */
const responseTimeoutMs = 10_000;

export async function openChannel(connection: Connection): Promise<OpenChannel> {
  return await open(connection, (opened) => connection.amqp.createChannel(opened));
}

export async function openConfirmChannel(connection: Connection): Promise<OpenChannel<amqp.ConfirmChannel>> {
  return await open(connection, (opened) => connection.amqp.createConfirmChannel(opened));
}

export async function closeChannel(connection: Connection, channel: amqp.Channel): Promise<void> {
  await answer<void>(connection, 'closing of a channel', (done) => channel.close(() => done(null, undefined)));
}

/** A callback of amqplib. amqplib's types declare the error as always present, but it is null on success. */
export type Answer<T> = (error: Error | null, ok: T) => void;

/**
 * Makes one request to the broker. If the broker does not respond in time, the connection can no longer be trusted, so it is destroyed,
 * and its users reconnect.
 */
export async function answer<T>(connection: Connection, what: string, run: (done: Answer<T>) => void): Promise<T> {
  const { ended } = connection;
  ended.throwIfAborted();
  const timer = setTimeout(() => {
    connection.destroy(new Error(`RabbitMQ did not respond within ${responseTimeoutMs} ms: ${what}`));
  }, responseTimeoutMs);
  try {
    // `run` throws if the channel or the connection has just closed, which rejects the promise
    const answered = new Promise<T>((resolve, reject) => {
      run((error, ok) => (error === null ? resolve(ok) : reject(error)));
    });
    return await raceAbort(answered, ended);
  } finally {
    clearTimeout(timer);
  }
}

async function open<C extends amqp.Channel>(
  connection: Connection,
  create: (opened: (error: Error | null, channel: C) => void) => C,
): Promise<OpenChannel<C>> {
  const ended = new AbortController();
  const channel = await answer<C>(connection, 'opening of a channel', (done) => {
    let lastError: Error | undefined;
    const created = create(done);
    // attached before the broker can respond: a channel without an error listener throws
    created.on('error', (error: Error) => (lastError = error));
    created.on('close', () => ended.abort(lastError ?? new Error('the channel was closed')));
  });
  if (connection.ended.aborted) ended.abort(connection.ended.reason);
  connection.ended.addEventListener('abort', () => ended.abort(connection.ended.reason), { signal: ended.signal });
  return { channel, ended: ended.signal };
}
