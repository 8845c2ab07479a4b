/** Whether `npm run drills` runs the tests. Files that both commands run then do more, or also test slow faults. */
export const isDrill = process.env['TASKWIRE_TEST_DRILLS'] !== undefined;

/** The time limit of a property test: a drill runs the property up to a hundred times as often. */
export const propertyTimeoutMs = isDrill ? 30 * 60_000 : 120_000;

/** Returns the number of times that a test repeats a fault: once in `npm test`, unless `test` is given, and more often in `npm run drills`. */
export function faultRounds({ test = 1, drill }: { test?: number; drill: number }): number {
  return isDrill ? drill : test;
}

/**
 * Returns the number of runs of a property in fast-check: a few in `npm test`, many in `npm run drills`. A drill prints its seed; TASKWIRE_TEST_SEED
 * repeats it.
 */
export function propertyRuns({ test, drill }: { test: number; drill: number }): { numRuns: number; seed: number } {
  const given = process.env['TASKWIRE_TEST_SEED'];
  const seed = given === undefined ? Math.trunc(Math.random() * 2 ** 31) : Number(given);
  if (!isDrill) return { numRuns: test, seed };
  console.log(`    ${drill} runs with TASKWIRE_TEST_SEED=${seed}`);
  return { numRuns: drill, seed };
}
