const isDrill = process.env['TASKWIRE_TEST_DRILLS'] !== undefined;

/** How long a property may take: a drill runs it up to a hundred times as often. */
export const propertyTimeoutMs = isDrill ? 30 * 60_000 : 120_000;

/** How often a test repeats a fault: once in `npm test`, more often in `npm run drills`. */
export function faultRounds({ drill }: { drill: number }): number {
  return isDrill ? drill : 1;
}

/**
 * How often fast-check runs a property: a few times in `npm test`, often in `npm run drills`. A drill prints its seed; TASKWIRE_TEST_SEED repeats it.
 */
export function propertyRuns({ test, drill }: { test: number; drill: number }): { numRuns: number; seed: number } {
  const given = process.env['TASKWIRE_TEST_SEED'];
  const seed = given === undefined ? Math.trunc(Math.random() * 2 ** 31) : Number(given);
  if (!isDrill) return { numRuns: test, seed };
  console.log(`    ${drill} runs with TASKWIRE_TEST_SEED=${seed}`);
  return { numRuns: drill, seed };
}
