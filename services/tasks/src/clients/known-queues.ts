import { setTimeout as delay } from 'node:timers/promises';
import type { ServiceClient } from '@taskwire/http-client';
import { z } from 'zod';
import type { KnownQueues } from '../app/jobs/known-queues.ts';

/** Times in milliseconds. */
export type KnownQueuesTiming = {
  /** How long a name waits for one read. A person waits for it, and without an answer, the name is accepted. */
  timeoutMs: number;
  /** The minimum time between two reads of a process, so that unknown names cost Auth at most one request a second. */
  gapMs: number;
  /** A list older than this is read again with its next use, so that queues of removed clients do not stay known. */
  maxAgeMs: number;
};

const defaultTiming: KnownQueuesTiming = { timeoutMs: 1_000, gapMs: 1_000, maxAgeMs: 60_000 };

const queues = z.object({ data: z.array(z.string()), more: z.boolean() });

type List = { names: ReadonlySet<string>; isComplete: boolean; requestedAt: number };

const none: ReadonlySet<string> = new Set();

/**
 * Keeps the queues that Auth has listed. A known name needs no request. An unknown one waits for a list that is requested after its call, which it
 * shares with all names that arrive before that request. After a failed read, names are accepted for a while without another.
 */
export function createKnownQueues(
  auth: Pick<ServiceClient, 'get' | 'open'>,
  { timeoutMs, gapMs, maxAgeMs }: KnownQueuesTiming = defaultTiming,
): KnownQueues {
  let list: List | undefined;
  let startedAt = -Infinity;
  let failedAt = -Infinity;
  let running: Promise<List | undefined> | undefined;
  /** The read whose request is not sent yet. */
  let next: Promise<List | undefined> | undefined;

  const isUnavailable = () => auth.open || performance.now() - failedAt < gapMs;

  async function request(): Promise<List | undefined> {
    const requestedAt = performance.now();
    const answer = await auth.get('/queues', queues);
    if (answer.kind !== 'ok') return undefined;
    const { data, more } = answer.value;
    const found = { names: new Set(data), isComplete: !more, requestedAt };
    if (list === undefined || list.requestedAt < requestedAt) list = found;
    return found;
  }

  /**
   * Only the wait ends after `timeoutMs`. The request keeps the client's own limit: one that is cut short would count against Auth for all other calls,
   * too.
   */
  async function read(): Promise<List | undefined> {
    startedAt = performance.now();
    const found = await Promise.race([request(), delay(timeoutMs, undefined, { ref: false })]);
    if (found === undefined) failedAt = performance.now();
    return found;
  }

  /** One read runs at a time. */
  async function readInTurn(): Promise<List | undefined> {
    try {
      await Promise.allSettled([running]);
      if (isUnavailable()) return undefined;
      const waitMs = startedAt + gapMs - performance.now();
      if (waitMs > 0) await delay(waitMs);
    } finally {
      // a name that arrives from here on waits for a later request
      next = undefined;
    }
    const reading = read();
    running = reading;
    try {
      return await reading;
    } finally {
      if (running === reading) running = undefined;
    }
  }

  /** Returns a list that is requested after this call; undefined if Auth is unavailable. */
  async function readNext(): Promise<List | undefined> {
    next ??= readInTurn();
    return await next;
  }

  return {
    async unknownAmong(names) {
      if (names.length === 0) return none;
      if (list !== undefined) {
        const ageMs = performance.now() - list.requestedAt;
        if (!excludesAny(list)) {
          if (ageMs < gapMs) return none;
        } else if (missing(list, names).size === 0) {
          // a read that runs already will replace the list, too
          if (ageMs > maxAgeMs && running === undefined && !isUnavailable()) void readNext();
          return none;
        }
      }
      if (isUnavailable()) return none;
      const newest = await readNext();
      return newest === undefined ? none : missing(newest, names);
    },
  };
}

/** Not while no client has a queue, and not if the list is incomplete. */
function excludesAny({ names, isComplete }: List): boolean {
  return isComplete && names.size > 0;
}

function missing(list: List, names: readonly string[]): ReadonlySet<string> {
  return excludesAny(list) ? new Set(names.filter((name) => !list.names.has(name))) : none;
}
