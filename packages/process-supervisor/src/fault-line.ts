import type { Socket } from 'node:net';

/** A fault of a network link. */
export type LinkFault =
  /** Connections are reset, including new ones. */
  | { kind: 'cut' }
  /** Bytes arrive this much later, in order, in both directions. */
  | { kind: 'delay'; ms: number }
  /** At most this much arrives in each direction. */
  | { kind: 'throttle'; bytesPerSecond: number }
  /**
   * Bytes are dropped in both directions without notice: no FIN, no RST. New connections are accepted, but reach no server. When the link heals,
   * affected connections remain dead for the client, and are closed for the server (whose own keep-alive would have detected the fault by then, but
   * its probes end at this proxy).
   */
  | { kind: 'half_open' }
  /** The client's requests arrive and are executed; the responses are dropped. Affected connections are reset when the link heals. */
  | { kind: 'mute' }
  /** For HTTP: the proxy responds to every request itself. Open connections are reset first. */
  | { kind: 'answer'; status: number; retryAfterSeconds?: number };

/** One direction of a proxied connection. */
export type Line = { set(fault: LinkFault | undefined): void };

type Parcel = { bytes: Buffer | undefined; due: number };

/** The sender has to wait while more than this number of bytes is in transit, as in a congested network. */
const longestQueueBytes = 1024 * 1024;
/** The pieces into which a throttled link divides what it forwards in a second. */
const piecesPerSecond = 20;

/** Forwards bytes, and the end of the stream, from one socket to the other, with the delay and throughput of the fault. */
export function openLine(from: Socket, to: Socket): Line {
  const queue: Parcel[] = [];
  let queuedBytes = 0;
  let fault: LinkFault | undefined;
  let freeAt = 0;
  let timer: NodeJS.Timeout | undefined;

  /** `bytes` undefined means the end of the stream. */
  function accept(bytes: Buffer | undefined): void {
    if (fault?.kind === 'half_open') return;
    for (const piece of piecesOf(bytes)) queue.push({ bytes: piece, due: dueTime(piece?.length ?? 0) });
    queuedBytes += bytes?.length ?? 0;
    if (queuedBytes > longestQueueBytes) from.pause();
    deliver();
  }

  /** A throttled link lets bytes through evenly, however many the sender has written at once. */
  function piecesOf(bytes: Buffer | undefined): readonly (Buffer | undefined)[] {
    if (fault?.kind !== 'throttle' || bytes === undefined) return [bytes];
    const size = Math.max(1, Math.ceil(fault.bytesPerSecond / piecesPerSecond));
    return Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) => bytes.subarray(n * size, (n + 1) * size));
  }

  function dueTime(length: number): number {
    const now = performance.now();
    if (fault?.kind === 'delay') freeAt = Math.max(freeAt, now + fault.ms);
    else if (fault?.kind === 'throttle') freeAt = Math.max(freeAt, now) + (length / fault.bytesPerSecond) * 1000;
    else freeAt = Math.max(freeAt, now);
    return freeAt;
  }

  function deliver(): void {
    clearTimeout(timer);
    for (let parcel = queue[0]; parcel !== undefined; parcel = queue[0]) {
      const waitMs = parcel.due - performance.now();
      if (waitMs > 0) {
        timer = setTimeout(deliver, waitMs);
        return;
      }
      queue.shift();
      forward(parcel.bytes);
    }
    if (queuedBytes <= longestQueueBytes && !to.writableNeedDrain) from.resume();
  }

  function forward(bytes: Buffer | undefined): void {
    if (bytes === undefined) return void to.end();
    queuedBytes -= bytes.length;
    if (!to.destroyed && !to.write(bytes)) from.pause();
  }

  from.on('data', accept);
  from.on('end', () => accept(undefined));
  to.on('drain', () => {
    if (queuedBytes <= longestQueueBytes) from.resume();
  });
  for (const socket of [from, to]) socket.once('close', () => clearTimeout(timer));
  return {
    set(next) {
      fault = next;
      if (next?.kind !== 'half_open') return;
      queue.length = 0;
      queuedBytes = 0;
      clearTimeout(timer);
      // read the bytes that are still waiting, so that they are dropped
      from.resume();
    },
  };
}
