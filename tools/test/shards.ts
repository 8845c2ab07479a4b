import { readFileSync } from 'node:fs';
import type { Stage } from './stages.ts';

/** One of several machines that divide the tests; `index` begins with 1. */
export type Shard = { index: number; count: number };

/** The files of a stage that one run executes. */
export type PlannedStage = { stage: Stage; files: string[] };

/** How long each test file took, in milliseconds, by its path; written by `npm test -- --record-durations`. */
export type Durations = Readonly<Record<string, number>>;

/** Where the durations are recorded. A file that is missing there counts as much as the median of the others. */
export const durationsFile = new URL('./durations.json', import.meta.url);

export function readDurations(): Durations {
  return JSON.parse(readFileSync(durationsFile, 'utf8')) as Durations;
}

/** Reads `2/4`. @throws for anything that does not name one of the shards. */
export function parseShard(text: string): Shard {
  const [, index = 0, count = 0] = (/^(\d+)\/(\d+)$/.exec(text) ?? []).map(Number);
  if (index < 1 || index > count) throw new Error(`--shard must be like 1/4, not "${text}"`);
  return { index, count };
}

/**
 * The part of each lane that a shard runs. Every file is in exactly one shard, and each lane is divided on its own, because lanes run at the same time
 * and the longest decides. The result depends only on the paths and the durations, so that machines need not talk to each other.
 */
export function lanesOfShard(lanes: readonly PlannedStage[][], shard: Shard, durations: Durations): PlannedStage[][] {
  const weigh = weights(durations);
  const total = Array.from({ length: shard.count }, () => 0);
  return lanes.map((lane) => {
    const chosen = new Set(divideLane(lane, { shard, weigh, total }));
    return lane.map(({ stage, files }) => ({ stage, files: files.filter((file) => chosen.has(file)) }));
  });
}

type Division = { shard: Shard; weigh: (file: string) => number; total: number[] };

/** Repeatedly gives the longest remaining unit to the least loaded shard, and returns the files of the requested shard. */
function divideLane(lane: readonly PlannedStage[], { shard, weigh, total }: Division): string[] {
  const weightOf = (files: readonly string[]) => files.reduce((sum, file) => sum + weigh(file), 0);
  const units = lane.flatMap(({ stage, files }) => (stage.isUndivided ? [files] : files.map((file) => [file])));
  const longestFirst = units
    .map((files) => ({ files, weight: weightOf(files) }))
    .toSorted((a, b) => b.weight - a.weight || ((a.files[0] ?? '') < (b.files[0] ?? '') ? -1 : 1));
  const loads = total.map(() => 0);
  const chosen: string[] = [];
  for (const { files, weight } of longestFirst) {
    const least = leastLoaded(loads, total);
    loads[least] = (loads[least] ?? 0) + weight;
    total[least] = (total[least] ?? 0) + weight;
    if (least === shard.index - 1) chosen.push(...files);
  }
  return chosen;
}

/** The shard with the least work of this lane; if several have the least, the one with the least work of all lanes so far. */
function leastLoaded(loads: readonly number[], total: readonly number[]): number {
  const key = (index: number) => [loads[index] ?? 0, total[index] ?? 0] as const;
  return loads.reduce((best, _, index) => {
    const [own, all] = key(index);
    const [bestOwn, bestAll] = key(best);
    return own < bestOwn || (own === bestOwn && all < bestAll) ? index : best;
  }, 0);
}

function weights(durations: Durations): (file: string) => number {
  const known = Object.values(durations).toSorted((a, b) => a - b);
  const median = known[Math.floor(known.length / 2)] ?? 1;
  return (file) => durations[file] ?? median;
}
