import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { expectStatus, idOf, type Session } from './front-end.ts';

/** A write that a service acknowledged. Times are milliseconds since 1970. */
export type Acknowledged = { kind: 'task' | 'user' | 'read'; id: string; sentAt: number; answeredAt: number };

export type Load = {
  acknowledged: readonly Acknowledged[];
  /** Requests that failed, which is expected while the restored service is stopped. */
  failures(): number;
  stop(): Promise<void>;
};

/**
 * Pauses between the requests of one worker, in milliseconds: about 30 requests a second in total, so that the load hardly affects the duration of
 * the restore.
 */
const pauseMs = 60;

/** Writes to all three services until it is stopped: tasks, users and read notifications. The same random numbers result in the same choices. */
export function startLoad(
  { admin, manager, members }: { admin: Session; manager: Session; members: readonly Session[] },
  random: () => number,
): Load {
  const acknowledged: Acknowledged[] = [];
  let failed = 0;
  let isRunning = true;
  const pick = (): Session => members[Math.floor(random() * members.length)] ?? manager;

  async function noted(kind: Acknowledged['kind'], write: () => Promise<string | undefined>): Promise<void> {
    const sentAt = Date.now();
    try {
      const id = await write();
      if (id !== undefined) acknowledged.push({ kind, id, sentAt, answeredAt: Date.now() });
    } catch {
      failed += 1;
    }
  }

  async function createTask(): Promise<string> {
    const title = `Load ${randomUUID()}`;
    const body = random() < 0.2 ? { title } : { title, assignee_id: pick().id };
    return idOf(expectStatus(await manager.call('POST', '/api/v1/tasks', body), 201, 'a new task'));
  }

  async function createUser(): Promise<string> {
    const [email, password] = [`${randomUUID()}@taskwire.test`, randomUUID()];
    const body = { email, password, name: 'Load', role: 'member' };
    return idOf(expectStatus(await admin.call('POST', '/api/v1/users', body), 201, 'a new user'));
  }

  async function readOne(): Promise<string | undefined> {
    const reader = pick();
    const list = expectStatus(await reader.call('GET', '/api/v1/notifications?unread=true&limit=1'), 200, 'a list');
    const [first] = list['data'] as { id: string }[];
    if (first === undefined) return undefined;
    return idOf(expectStatus(await reader.call('POST', `/api/v1/notifications/${first.id}/read`), 200, 'reading'));
  }

  async function work(
    kind: Acknowledged['kind'],
    write: () => Promise<string | undefined>,
    every: number,
  ): Promise<void> {
    while (isRunning) {
      await noted(kind, write);
      await delay(every * pauseMs * (0.5 + random()));
    }
  }

  // a password hash takes as long as ten other requests
  const workers = [
    work('task', createTask, 1),
    work('task', createTask, 1),
    work('read', readOne, 1),
    work('user', createUser, 6),
  ];
  return {
    acknowledged,
    failures: () => failed,
    async stop() {
      isRunning = false;
      await Promise.all(workers);
    },
  };
}

/** Returns a generator of numbers from 0 to 1, determined by a seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
