import { mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

// Below the ports that Linux (32768…) and macOS (49152…) assign to outgoing connections, so that no connection takes a port between the check and the
// server's bind.
const lowest = 20_000;
const count = 12_000;

const reservations = join(tmpdir(), `taskwire-ports-${userInfo().uid}`);
const reserved = new Set<number>();

/**
 * Finds `n` unused ports on 127.0.0.1. They stay reserved against other processes that use this function until this process ends, so that suites
 * started at the same time do not collide.
 */
export async function freePorts(n: number): Promise<number[]> {
  const found: number[] = [];
  let port = lowest + Math.floor(Math.random() * count);
  for (let checked = 0; found.length < n; checked++) {
    if (checked > count) throw new Error(`No ${n} free ports between ${lowest} and ${lowest + count}.`);
    port = port + 1 >= lowest + count ? lowest : port + 1;
    if (!reserved.has(port) && reserve(port)) {
      if (await isPortFree(port)) found.push(port);
      else release(port);
    }
  }
  return found;
}

/** Whether a server can bind the port on 127.0.0.1 and nothing accepts connections on it. */
export async function isPortFree(port: number): Promise<boolean> {
  // on macOS a bind to 127.0.0.1 succeeds although another server listens on all addresses, so a connection is tried too
  return (await canBind(port)) && !(await answers(port));
}

/** Whether something accepts a TCP connection on 127.0.0.1. */
export function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const done = (result: boolean) => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(1000, () => done(false));
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
  });
}

function canBind(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

function reserve(port: number): boolean {
  mkdirSync(reservations, { recursive: true });
  const file = join(reservations, String(port));
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
  } catch {
    if (isAlive(ownerOf(file))) return false;
    release(port);
    return false; // a later attempt may succeed in reserving the port
  }
  if (reserved.size === 0) process.once('exit', () => [...reserved].forEach(release));
  reserved.add(port);
  return true;
}

function ownerOf(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8'));
  } catch {
    return 0;
  }
}

function release(port: number): void {
  reserved.delete(port);
  try {
    unlinkSync(join(reservations, String(port)));
  } catch {
    // already deleted, or another user's
  }
}

/** Whether a process with this id exists, regardless of its owner. */
export function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
