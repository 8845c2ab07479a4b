import { setTimeout as delay } from 'node:timers/promises';
import type { Operation } from '../evidence.ts';
import type { Random } from '../random.ts';
import type { Generated } from './generate.ts';
import type { Intent } from './intent.ts';
import { learn } from './learn.ts';
import { perform, type Caller } from './perform.ts';

/** So many people act at the same time. With their pauses that is some 60 requests a second: enough for every fault to meet some on their way. */
const people = 12;
const shortestPauseMs = 20;
const longestPauseMs = 280;

export type Drive = { caller: Caller; onOperation(operation: Operation): void };

/** Lets people act until `ending`. What one asks for may depend on how the last requests ended, so it is not the same in two runs. */
export async function driveTraffic(
  { caller, onOperation }: Drive,
  generate: (now: number) => Generated,
  random: Random,
): Promise<void> {
  let n = 0;
  async function actOn(): Promise<void> {
    while (!caller.ending.aborted) {
      const { intent, twist } = generate(caller.now());
      const operation = await perform(caller, ++n, intent, twist);
      if (operation !== undefined) {
        learn(caller.stage, operation, caller.now());
        onOperation(withoutToken(operation));
      }
      const pause = random.between(shortestPauseMs, longestPauseMs);
      await delay(pause, undefined, { signal: caller.ending }).catch(() => undefined);
    }
  }
  await Promise.all(Array.from({ length: people }, actOn));
}

/** Asks again for what was asked for in another run, at the same times. What depends on something that is not there this time is left out. */
export async function replayTraffic(
  { caller, onOperation }: Drive,
  recorded: readonly { n: number; at: number; intent: Intent }[],
): Promise<void> {
  const running = new Set<Promise<void>>();
  for (const { n, at, intent } of recorded) {
    await delay(Math.max(0, at - caller.now()), undefined, { signal: caller.ending }).catch(() => undefined);
    if (caller.ending.aborted) break;
    const one = perform(caller, n, intent, { kind: 'none' })
      .then((operation) => {
        if (operation === undefined) return;
        learn(caller.stage, operation, caller.now());
        onOperation(withoutToken(operation));
      })
      .finally(() => running.delete(one));
    running.add(one);
  }
  await Promise.all(running);
}

/** Histories are kept and passed on. */
function withoutToken(operation: Operation): Operation {
  if (operation.intent.kind !== 'login') return operation;
  const { answer: _session, ...rest } = operation;
  return { ...rest, replays: [] };
}
