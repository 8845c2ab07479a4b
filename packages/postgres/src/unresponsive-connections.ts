import { Socket } from 'node:net';
import type { ClientBase } from 'pg';
import type { Logger } from '@taskwire/telemetry';

/** How often sockets are checked, in milliseconds. */
const checkEveryMs = 500;

type Watched = { socket: Socket; wroteAt: number; readAtWrite: number; receivedAt: number; readAtCheck: number };

/**
 * Closes watched connections whose server has sent nothing for `limitMs` after a request. Packets dropped on the way (a failed switch, a frozen
 * machine) close no socket, and the kernel times out only after a quarter of an hour. The limit must be above the server's own `statement_timeout`,
 * within which a healthy server always responds. All other connections that have received nothing since that request are closed too, so that the next
 * requests do not each have to detect the failure. Never throws: queries on a closed connection reject, and the pool replaces it.
 */
export function closeUnresponsiveConnections(
  limitMs: number,
  logger: Logger,
): { /** For each new connection; pg-pool's `onConnect`. */ watch(client: ClientBase): void; stop(): void } {
  const watched = new Set<Watched>();
  let checkedAt = performance.now();

  function watch(client: ClientBase): void {
    const socket = socketOf(client);
    const entry: Watched = {
      socket,
      wroteAt: -Infinity,
      readAtWrite: -1,
      receivedAt: performance.now(),
      readAtCheck: socket.bytesRead,
    };
    const write = socket.write.bind(socket);
    socket.write = ((...args: Parameters<Socket['write']>) => {
      // if several writes follow without a response in between, the time of the first one counts
      if (entry.readAtWrite !== socket.bytesRead) {
        entry.readAtWrite = socket.bytesRead;
        entry.wroteAt = performance.now();
      }
      return write(...args);
    }) as Socket['write'];
    watched.add(entry);
    socket.once('close', () => watched.delete(entry));
  }

  function check(): void {
    const now = performance.now();
    for (const entry of watched) {
      if (entry.socket.bytesRead === entry.readAtCheck) continue;
      entry.readAtCheck = entry.socket.bytesRead;
      // the bytes may have arrived any time since the previous check; closing a healthy connection costs less than keeping a dead one
      entry.receivedAt = checkedAt;
    }
    checkedAt = now;
    const unresponsive = [...watched].filter((entry) => isAwaitingResponse(entry) && now - entry.wroteAt > limitMs);
    if (unresponsive.length === 0) return;
    const since = Math.min(...unresponsive.map(({ wroteAt }) => wroteAt));
    const suspect = [...watched].filter((entry) => isAwaitingResponse(entry) || entry.receivedAt < since);
    logger.warn('PostgreSQL is unresponsive; closing its connections', {
      connections: suspect.length,
      timeout_ms: limitMs,
    });
    for (const { socket } of suspect) socket.destroy(new Error(`PostgreSQL sent nothing for ${limitMs} ms`));
  }

  const timer = setInterval(check, checkEveryMs);
  timer.unref();
  return { watch, stop: () => clearInterval(timer) };
}

function isAwaitingResponse({ socket, readAtWrite }: Watched): boolean {
  return socket.bytesRead === readAtWrite;
}

/**
 * Returns the socket (TLS or not) of a connected pg client. pg has no public name for it; failing to start is better than running without the watch.
 * (pg's option `stream` accepts our own socket. With TLS, however, requests bypass that socket, and the watch must distinguish requests from
 * responses.)
 */
function socketOf(client: object): Socket {
  const connection: unknown = Reflect.get(client, 'connection');
  const stream: unknown =
    typeof connection === 'object' && connection !== null ? Reflect.get(connection, 'stream') : undefined;
  if (stream instanceof Socket) return stream;
  throw new Error('this version of pg does not keep its socket in connection.stream');
}
