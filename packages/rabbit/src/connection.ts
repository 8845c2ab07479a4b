import amqp from 'amqplib/callback_api';
import { tolerateUnreadableHeaders } from './unreadable-headers.ts';

/** A connection that stands. Its end, for whatever reason, aborts `ended` with that reason. */
export type Connection = {
  amqp: amqp.Connection;
  ended: AbortSignal;
  /** Whether the broker has stopped reading from this connection, because it is short of memory or disk. */
  blocked(): boolean;
  onBlockedChange(listener: (blocked: boolean) => void): void;
  /** Ends the connection at once, without a word to the broker. */
  destroy(reason: Error): void;
  /** Ends it in good order; a broker that does not answer within 2 s is left alone. */
  close(): Promise<void>;
};

export type ConnectionOptions = {
  url: string;
  /** Shown by the broker's management page and `rabbitmqctl list_connections`. */
  name: string;
  /** Gives up an attempt to connect. */
  signal: AbortSignal;
};

/** TCP, TLS and the AMQP handshake together; a broker that starts up can accept a socket long before it speaks. */
const connectTimeoutMs = 10_000;
/** A dead peer shows after two or three of these. RabbitMQ advises 5 to 20 s: less mistakes a busy moment for death. */
const heartbeatSeconds = 5;
const closeTimeoutMs = 2_000;

/**
 * Connects, once. The callback API of amqplib is used on purpose: listeners are attached in the very turn in which the handshake
 * ends, so that a socket that drops then, or a `blocked` that comes with the last frame, finds them. With promises it would be
 * an uncaught error, or lost.
 */
export function openConnection({ url, name, signal }: ConnectionOptions): Promise<Connection> {
  return new Promise((resolve, reject) => {
    // net.connect destroys its socket on abort: the only way to be rid of one that hangs or is half open
    const socket = new AbortController();
    const giveUp = (error: unknown): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      reject(error);
      socket.abort();
    };
    const onAbort = (): void => giveUp(signal.reason);
    const timer = setTimeout(
      () => giveUp(new Error(`RabbitMQ did not answer within ${connectTimeoutMs} ms`)),
      connectTimeoutMs,
    );
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    const options = {
      noDelay: true,
      keepAlive: true,
      signal: socket.signal,
      clientProperties: { connection_name: name },
    };
    try {
      amqp.connect(withHeartbeat(url), options, (error: Error | null, connection) => {
        if (error !== null) return giveUp(error);
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        resolve(established(connection, socket));
      });
    } catch (error) {
      // a URL that cannot be read
      giveUp(error);
    }
  });
}

function established(connection: amqp.Connection, socket: AbortController): Connection {
  const ended = new AbortController();
  const listeners: ((blocked: boolean) => void)[] = [];
  // the broker may say `blocked` together with the end of the handshake, before anybody can listen; amqplib keeps it in this field
  let blocked = Reflect.get(connection.connection, 'blocked') === true;
  let lastError: Error | undefined;

  function setBlocked(value: boolean): void {
    blocked = value;
    for (const listener of listeners) listener(value);
  }
  function destroy(reason: Error): void {
    ended.abort(reason);
    socket.abort();
  }

  tolerateUnreadableHeaders(connection);
  connection.on('error', (error) => (lastError = error));
  connection.on('close', (error) => {
    ended.abort(error ?? lastError ?? new Error('the connection was closed'));
    // amqplib only ends its half of the socket; with a peer that is gone that would stay for a quarter of an hour
    setTimeout(() => socket.abort(), closeTimeoutMs).unref();
  });
  connection.on('blocked', () => setBlocked(true));
  connection.on('unblocked', () => setBlocked(false));

  return {
    amqp: connection,
    ended: ended.signal,
    blocked: () => blocked,
    onBlockedChange: (listener) => void listeners.push(listener),
    destroy,
    close: () =>
      new Promise((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          destroy(new Error('closed by this side'));
          resolve();
        };
        const timer = setTimeout(done, closeTimeoutMs);
        try {
          connection.close(done);
        } catch {
          // it was closing already
          done();
        }
      }),
  };
}

function withHeartbeat(url: string): string {
  const parsed = new URL(url);
  if (!parsed.searchParams.has('heartbeat')) parsed.searchParams.set('heartbeat', String(heartbeatSeconds));
  return parsed.href;
}
