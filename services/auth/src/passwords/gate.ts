import { problem } from '@taskwire/errors';

export type Gate = {
  /** Runs `work` when it is its turn, first come first served. @throws Problem `unavailable` at once when too many wait. */
  run<T>(work: () => Promise<T>): Promise<T>;
  running(): number;
  waiting(): number;
};

/** Lets `concurrency` works run at once and `queue` wait. */
export function createGate({ concurrency, queue }: { concurrency: number; queue: number }): Gate {
  let running = 0;
  const waiting: (() => void)[] = [];

  return {
    running: () => running,
    waiting: () => waiting.length,
    async run(work) {
      if (running < concurrency) running += 1;
      else if (waiting.length >= queue) throw flooded();
      // whoever leaves hands its place on, so `running` stays as it is
      else await new Promise<void>((resolve) => waiting.push(resolve));
      try {
        return await work();
      } finally {
        const next = waiting.shift();
        if (next === undefined) running -= 1;
        else next();
      }
    },
  };
}

function flooded() {
  return problem('unavailable', 'Too many log-ins at the moment. Try again in a few seconds.', {
    headers: { 'Retry-After': '2' },
  });
}
