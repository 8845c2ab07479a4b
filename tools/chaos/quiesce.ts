import { setTimeout as delay } from 'node:timers/promises';
import { errorText } from '@taskwire/errors';
import { readUnfinished } from './observe/databases.ts';
import type { Operator } from './suite/operator.ts';
import type { SuiteUnderTest } from './suite/under-test.ts';

/** Enough for the longest back-off after such short outages, plus the remaining lease of a killed process (10 s), plus the handling itself. */
const timeoutMs = 150_000;
const lookEveryMs = 400;
const sayEveryMs = 3_000;
/** The number of consecutive checks with the same state, because messages that are being handled are in no table. */
const looksInARow = 3;

export type Quiescence = { tookMs: number; unfinished: string[] };

/** Waits until no work is left. After a time-out, returns the unfinished work. */
export async function quiesce(o: {
  underTest: SuiteUnderTest;
  operator: Operator;
  notReady: () => string[];
  say: (text: string) => void;
}): Promise<Quiescence> {
  const began = performance.now();
  const tookMs = () => performance.now() - began;
  let quiet = 0;
  let saidMs = -Infinity;
  let before = '';
  for (;;) {
    const unfinished = await look(o).catch((error: unknown) => [`it could not be checked: ${errorText(error)}`]);
    const state = `${o.underTest.recorder.messages.length} ${unfinished.join('; ')}`;
    quiet = unfinished.length === 0 && state === before ? quiet + 1 : 0;
    if (quiet === looksInARow) return { tookMs: tookMs(), unfinished: [] };
    if (tookMs() > timeoutMs) return { tookMs: tookMs(), unfinished };
    if (unfinished.length > 0 && tookMs() > saidMs + sayEveryMs) {
      saidMs = tookMs();
      o.say(`waiting for: ${unfinished.join('; ')}`);
    }
    before = state;
    await delay(lookEveryMs);
  }
}

async function look({ underTest, operator, notReady }: Parameters<typeof quiesce>[0]): Promise<string[]> {
  const queues = await operator.queueLengths();
  return [
    ...notReady(),
    ...queues.flatMap(({ name, messages }) => (messages > 0 ? [`${messages} messages in ${name}`] : [])),
    ...(await readUnfinished(underTest)),
  ];
}
