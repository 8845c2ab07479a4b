/** Whether `npm run drills` runs the tests. Files that both commands run then do more, or also test slow faults. */
export const isDrill = process.env['TASKWIRE_TEST_DRILLS'] !== undefined;

/** The time limit of a property test: a drill runs the property up to a hundred times as often. */
export const propertyTimeoutMs = isDrill ? 30 * 60_000 : 120_000;

/** Returns the number of times that a test repeats a fault: once in `npm test`, unless `test` is given, and more often in `npm run drills`. */
export function faultRounds({ test = 1, drill }: { test?: number; drill: number }): number {
  return isDrill ? drill : test;
}

/**
 * Returns fast-check's settings for a property: a few runs in `npm test`, many in `npm run drills`. A drill prints its seed; TASKWIRE_TEST_SEED repeats
 * it. The message of a failed property has the error of the counterexample, because mocha's parallel workers do not pass on the cause of an error.
 */
export function propertyRuns({ test, drill }: { test: number; drill: number }): {
  numRuns: number;
  seed: number;
  includeErrorInReport: true;
} {
  const given = process.env['TASKWIRE_TEST_SEED'];
  const seed = given === undefined ? Math.trunc(Math.random() * 2 ** 31) : Number(given);
  if (!isDrill) return { numRuns: test, seed, includeErrorInReport: true };
  console.log(`    ${drill} runs with TASKWIRE_TEST_SEED=${seed}`);
  return { numRuns: drill, seed, includeErrorInReport: true };
}
