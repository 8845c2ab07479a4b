import amqp from 'amqplib/callback_api';
import { tolerateUnreadableHeaders } from './unreadable-headers.ts';

/** An open connection. When it ends for any reason, `ended` is aborted with that reason. */
export type Connection = {
  amqp: amqp.Connection;
  ended: AbortSignal;
  /** Whether the broker has stopped reading from this connection because it is short of memory or disk. */
  blocked(): boolean;
  onBlockedChange(listener: (blocked: boolean) => void): void;
  /** Ends the connection at once, without notifying the broker. */
  destroy(reason: Error): void;
  /** Closes the connection gracefully. If the broker does not respond within 2 s, the connection is destroyed. */
  close(): Promise<void>;
};

export type ConnectionOptions = {
  url: string;
  /** Shown on the broker's management page and by `rabbitmqctl list_connections`. */
  name: string;
  /** Aborts an attempt to connect. */
  signal: AbortSignal;
};

/** The timeout for TCP, TLS and the AMQP handshake together. A starting broker can accept a socket long before it responds. */
const connectTimeoutMs = 10_000;
/**
 * A dead peer is detected after two or three intervals. RabbitMQ recommends 5 to 20 s; with shorter intervals, a busy peer may be mistaken for a dead
 * one.
 */
const heartbeatSeconds = 5;
const closeTimeoutMs = 2_000;

/**
 * Connects once, without retrying. Uses amqplib's callback API on purpose: listeners are attached in the same turn of the event loop in which the
 * handshake ends, so that they receive a socket error or a `blocked` notification that arrives with the last frame. With promises, the error would be
 * uncaught and the notification lost.
 */
export function openConnection({ url, name, signal }: ConnectionOptions): Promise<Connection> {
  return new Promise((resolve, reject) => {
    // aborting makes net.connect destroy its socket, which is the only way to close a socket that hangs or is half open
    const socket = new AbortController();
    const fail = (error: unknown): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      reject(error);
      socket.abort();
    };
    const onAbort = (): void => fail(signal.reason);
    const timer = setTimeout(
      () => fail(new Error(`RabbitMQ did not respond within ${connectTimeoutMs} ms`)),
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
        if (error !== null) return fail(error);
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        resolve(established(connection, socket));
      });
    } catch (error) {
      // the URL is invalid
      fail(error);
    }
  });
}

function established(connection: amqp.Connection, socket: AbortController): Connection {
  const ended = new AbortController();
  const listeners: ((blocked: boolean) => void)[] = [];
  // the broker may send `blocked` together with the end of the handshake, before a listener can be attached; amqplib keeps it in this field
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
    // amqplib only ends its half of the socket, which would linger for a quarter of an hour if the peer is unreachable
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
          // it was already closing
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
