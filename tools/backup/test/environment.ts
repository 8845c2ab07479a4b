import { randomInt } from 'node:crypto';

/** The folder of a test run, and the seed: TASKWIRE_TEST_SEED repeats a run. */
export function environment(): { dir: string; seed: number } {
  const { TASKWIRE_TEST_DIR: dir, TASKWIRE_TEST_SEED: seed } = process.env;
  if (dir === undefined) throw new Error('TASKWIRE_TEST_DIR is not set. Run the test with: npm run drills -- restore');
  return { dir, seed: seed === undefined ? randomInt(2 ** 31) : Number(seed) };
}
