import { setTimeout as delay } from 'node:timers/promises';
import type { Operation } from '../evidence.ts';
import type { Random } from '../random.ts';
import type { Generated } from './generate.ts';
import type { Intent } from './intent.ts';
import { observe } from './observe.ts';
import { perform, type Caller } from './perform.ts';

/** The number of users acting concurrently, and their pauses between two requests. */
export type Pace = { people: number; minPauseMs: number; maxPauseMs: number };

export type Drive = { caller: Caller; pace: Pace; onOperation(operation: Operation): void };

/** Lets users act until `ending`. A user's next request may depend on the outcomes of earlier ones, so two runs differ. */
export async function driveTraffic(
  { caller, pace, onOperation }: Drive,
  generate: (now: number) => Generated,
  random: Random,
): Promise<void> {
  let n = 0;
  async function actOn(): Promise<void> {
    while (!caller.ending.aborted) {
      const { intent, twist } = generate(caller.now());
      const operation = await perform(caller, ++n, intent, twist);
      if (operation !== undefined) {
        observe(caller.known, operation, caller.now());
        onOperation(withoutToken(operation));
      }
      const pause = random.between(pace.minPauseMs, pace.maxPauseMs);
      await delay(pause, undefined, { signal: caller.ending }).catch(() => undefined);
    }
  }
  await Promise.all(Array.from({ length: pace.people }, actOn));
}

/** Repeats the requests of another run, at the same times. Skips requests whose task or user does not exist in this run. */
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
        observe(caller.known, operation, caller.now());
        onOperation(withoutToken(operation));
      })
      .finally(() => running.delete(one));
    running.add(one);
  }
  await Promise.all(running);
}

/** Removes the token, because histories are kept and shared. */
function withoutToken(operation: Operation): Operation {
  if (operation.intent.kind !== 'login') return operation;
  const { answer: _session, ...rest } = operation;
  return { ...rest, replays: [] };
}
