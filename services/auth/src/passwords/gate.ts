import { problem } from '@taskwire/errors';
import { Gauge, type Registry } from 'prom-client';
import type { HashTurn } from '../app/ports/passwords.ts';
import { createFairQueue } from './fair-queue.ts';

export type Gate = {
  /**
   * Runs `work` when its turn comes. A waiting call may lose its place to a call from a source with fewer calls.
   * @throws Problem `unavailable` with Retry-After if the queue is full.
   */
  run<T>(work: () => Promise<T>, turn?: HashTurn): Promise<T>;
  running(): number;
  waiting(): number;
};

type Waiter = { begin(): void; refuse(): void };

/** The turn of an unknown caller without a source. */
const unknownCaller: HashTurn = { isKnown: false, source: '' };

/**
 * Runs up to `concurrency` calls at once and lets `queue` calls wait. Known and unknown callers are each guaranteed half of the running and half of
 * the waiting places, and may use places that the other group leaves free. While both groups wait, freed places go to them alternately, so neither
 * can starve the other. Within each group, sources take turns. In a full queue, the newest call of the source with the most calls gives way to a call
 * of a source with fewer.
 */
export function createGate({ concurrency, queue }: { concurrency: number; queue: number }): Gate {
  const known = { waiters: createFairQueue<Waiter>(), share: Math.ceil(queue / 2) };
  const unknown = { waiters: createFairQueue<Waiter>(), share: Math.floor(queue / 2) };
  let running = 0;
  let servedLast = unknown;

  const waiting = () => known.waiters.size() + unknown.waiters.size();

  function nextWaiter(): Waiter | undefined {
    const others = servedLast === known ? unknown : known;
    const served = others.waiters.size() > 0 ? others : servedLast;
    servedLast = served;
    return served.waiters.next();
  }

  /** Frees a place in a full queue for this source, if another source exceeds its share. */
  function makeRoom({ isKnown, source }: HashTurn): boolean {
    const [own, others] = isKnown ? [known, unknown] : [unknown, known];
    const { waiters, share } = own;
    const victim =
      waiters.size() < share
        ? others.waiters.dropFromLongest()
        : // exchanging the place between the two would help neither
          waiters.longest() > waiters.lengthOf(source) + 1
          ? waiters.dropFromLongest()
          : undefined;
    victim?.refuse();
    return victim !== undefined;
  }

  async function wait(turn: HashTurn): Promise<void> {
    if (waiting() >= queue && !makeRoom(turn)) throw queueFull();
    await new Promise<void>((resolve, reject) => {
      const { waiters } = turn.isKnown ? known : unknown;
      waiters.push(turn.source, { begin: resolve, refuse: () => reject(queueFull()) });
    });
  }

  return {
    running: () => running,
    waiting,
    async run(work, turn = unknownCaller) {
      if (running < concurrency) running += 1;
      // a finishing call passes its place on, so `running` is left unchanged
      else await wait(turn);
      try {
        return await work();
      } finally {
        const next = nextWaiter();
        if (next === undefined) running -= 1;
        else next.begin();
      }
    },
  };
}

/** Reports the calls in gates as a gauge with the label `state`. */
export function watchGates(
  metrics: Registry,
  gauge: { name: string; help: string },
  gates: { running: Gate; waiting: Gate[] },
) {
  new Gauge({
    ...gauge,
    labelNames: ['state'],
    registers: [metrics],
    collect() {
      this.set({ state: 'running' }, gates.running.running());
      this.set(
        { state: 'waiting' },
        gates.waiting.reduce((sum, gate) => sum + gate.waiting(), 0),
      );
    },
  });
}

function queueFull() {
  return problem('unavailable', 'Too many log-ins at the moment. Try again in a few seconds.', {
    headers: { 'Retry-After': '2' },
  });
}
