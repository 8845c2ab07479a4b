import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Figure } from './figures.ts';

/** Memory of this process over the measured periods: before the first, at its peak, and after the last. */
export type MemoryWatch = {
  during<T>(work: () => Promise<T>): Promise<T>;
  figures(): Figure[];
};

type Sample = { heap: number; rss: number };

const sampleEveryMs = 100;
const megabyte = 1_048_576;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/**
 * The first and last values are measured right after a garbage collection, so that their difference is retained memory. The difference from the peak
 * is mostly garbage.
 */
export function watchMemory(): MemoryWatch {
  let before: Sample | undefined;
  let most: Sample = { heap: 0, rss: 0 };
  let after: Sample = { heap: 0, rss: 0 };

  function sample(): Sample {
    const { heapUsed: heap, rss } = process.memoryUsage();
    most = { heap: Math.max(most.heap, heap), rss: Math.max(most.rss, rss) };
    return { heap, rss };
  }

  function settled(): Sample {
    collectGarbage();
    return sample();
  }

  function figure(kind: keyof Sample, what: string): Figure {
    const [first, peak, last] = [before?.[kind] ?? Number.NaN, most[kind], after[kind]].map((bytes) =>
      Math.round(bytes / megabyte),
    );
    return { what: `memory, ${what}: before, most, after`, value: `${first}, ${peak}, ${last} MB` };
  }

  return {
    async during(work) {
      before ??= settled();
      const timer = setInterval(sample, sampleEveryMs);
      try {
        return await work();
      } finally {
        clearInterval(timer);
        after = settled();
      }
    },
    figures: () => [figure('heap', 'heap'), figure('rss', 'resident')],
  };
}
