import { Socket } from 'node:net';
import type { ClientBase } from 'pg';
import type { Logger } from '@taskwire/telemetry';

/** How often sockets are looked at, in milliseconds. */
const lookEveryMs = 500;

type Watched = { socket: Socket; wroteAt: number; readAtWrite: number; heardAt: number; readAtLook: number };

/**
 * Closes the connections that it watches whose server has said nothing for `limitMs` after it was asked something: packets that are dropped on the
 * way (a failed switch, a frozen machine) end no socket, and the kernel gives up after a quarter of an hour only. The limit must be above
 * the server's own `statement_timeout`, before which a healthy server always answers. With one connection go all that were not heard of
 * since it was asked, so that the next requests do not each find out for themselves. Resolves nothing and throws nothing: queries on a closed
 * connection reject, and the pool replaces it.
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
      // only the first of several writes without an answer between them counts
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
      // it may have been any time since the look before; closing a sound connection too many costs less than keeping a dead one
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

/** The socket (TLS or not) under a connected pg client. pg has no public name for it; better no start than no watch. */
function socketOf(client: object): Socket {
  const connection: unknown = Reflect.get(client, 'connection');
  const stream: unknown =
    typeof connection === 'object' && connection !== null ? Reflect.get(connection, 'stream') : undefined;
  if (stream instanceof Socket) return stream;
  throw new Error('this version of pg keeps its socket elsewhere');
}
