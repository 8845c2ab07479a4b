import { Socket } from 'node:net';
import type { ClientBase } from 'pg';
import type { Logger } from '@taskwire/telemetry';

/** How often sockets are checked, in milliseconds. */
const lookEveryMs = 500;

type Watched = { socket: Socket; wroteAt: number; readAtWrite: number; heardAt: number; readAtLook: number };

/**
 * Closes watched connections whose server has sent nothing for `limitMs` after a request. Packets dropped on the way (a failed switch, a frozen
 * machine) close no socket, and the kernel times out only after a quarter of an hour. The limit must be above the server's own `statement_timeout`,
 * before which a healthy server always responds. All other connections that received nothing since that request are closed with it, so that the next
 * requests do not each have to detect the failure. Never throws: queries on a closed connection reject, and the pool replaces it.
 */
export function watchSilence(
  limitMs: number,
  logger: Logger,
): { /** For each new connection; pg-pool's `onConnect`. */ watch(client: ClientBase): void; stop(): void } {
  const watched = new Set<Watched>();
  let lookedAt = performance.now();

  function watch(client: ClientBase): void {
    const socket = socketOf(client);
    const entry: Watched = {
      socket,
      wroteAt: -Infinity,
      readAtWrite: -1,
      heardAt: performance.now(),
      readAtLook: socket.bytesRead,
    };
    const write = socket.write.bind(socket);
    socket.write = ((...args: Parameters<Socket['write']>) => {
      // only the first of several writes without a response in between counts
      if (entry.readAtWrite !== socket.bytesRead) {
        entry.readAtWrite = socket.bytesRead;
        entry.wroteAt = performance.now();
      }
      return write(...args);
    }) as Socket['write'];
    watched.add(entry);
    socket.once('close', () => watched.delete(entry));
  }

  function look(): void {
    const now = performance.now();
    for (const entry of watched) {
      if (entry.socket.bytesRead === entry.readAtLook) continue;
      entry.readAtLook = entry.socket.bytesRead;
      // the bytes may have arrived any time since the previous check; closing a sound connection too many costs less than keeping a dead one
      entry.heardAt = lookedAt;
    }
    lookedAt = now;
    const silent = [...watched].filter((entry) => isSilent(entry) && now - entry.wroteAt > limitMs);
    if (silent.length === 0) return;
    const since = Math.min(...silent.map(({ wroteAt }) => wroteAt));
    const doubtful = [...watched].filter((entry) => isSilent(entry) || entry.heardAt < since);
    logger.warn('PostgreSQL does not answer; its connections are closed', {
      connections: doubtful.length,
      silent_ms: limitMs,
    });
    for (const { socket } of doubtful) socket.destroy(new Error(`PostgreSQL said nothing for ${limitMs} ms`));
  }

  const timer = setInterval(look, lookEveryMs);
  timer.unref();
  return { watch, stop: () => clearInterval(timer) };
}

function isSilent({ socket, readAtWrite }: Watched): boolean {
  return socket.bytesRead === readAtWrite;
}

/**
 * Returns the socket (TLS or not) of a connected pg client. pg has no public name for it; failing to start is better than running without the watch.
 */
function socketOf(client: object): Socket {
  const connection: unknown = Reflect.get(client, 'connection');
  const stream: unknown =
    typeof connection === 'object' && connection !== null ? Reflect.get(connection, 'stream') : undefined;
  if (stream instanceof Socket) return stream;
  throw new Error('this version of pg keeps its socket elsewhere');
}
