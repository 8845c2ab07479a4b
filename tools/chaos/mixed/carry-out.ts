import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { errorText } from '@taskwire/errors';
import { migrateService, type Release } from '../../../infra/local/own-servers.ts';
import type { RunOptions } from '../run.ts';
import type { Replica } from '../suite/under-test.ts';
import { describeStep, type Side, type Step } from './plan.ts';
import { eventsBetween } from './shared-work.ts';

export type CarryOut = Pick<RunOptions, 'underTest' | 'history' | 'now' | 'say' | 'signal'> & {
  dir: string;
  plan: readonly Step[];
  releases: Record<Side, Release>;
  /** The release with which each process starts. */
  sideOf: Map<Replica['name'], Side>;
  /** Called after the last step. */
  onDone(): void;
};

/** Requests before the first step and after the last one see a suite of one release. */
const quietMs = 3_000;

/**
 * The pause between the start of a process and the stop of the next one, like `minReadySeconds` of Kubernetes: for a second, the gateway skips a
 * process that has refused a connection, and without the pause it would have no process left.
 */
const settleMs = 2_000;

/** The maximum time for which a step waits for its first event: users change accounts only every few seconds. */
const firstEventMs = 60_000;
const firstEventPollMs = 200;

/** Executes the steps of a rolling update, one after the other. A process that does not start, and a migration that fails, count as a crash. */
export function carryOut(o: CarryOut): RunOptions['disturb'] {
  const { underTest, history, now, say, signal } = o;

  async function take(step: Step): Promise<void> {
    switch (step.kind) {
      case 'migrate': {
        const env = underTest.suite.envOf(step.service);
        const logFile = join(o.dir, 'logs', `${step.service}-migrate.log`);
        return await migrateService(step.service, { env, logFile, signal, release: o.releases.new });
      }
      case 'swap': {
        const swapped = underTest.process(step.process);
        await swapped.stop();
        o.sideOf.set(step.process, step.to);
        await swapped.start();
        await delay(settleMs, undefined, { signal });
        return;
      }
      case 'mix': {
        const began = now();
        const hasEvent = () => eventsBetween(history.lines, step.service, began, now()) > 0;
        await delay(step.ms, undefined, { signal });
        while (!hasEvent() && now() < began + firstEventMs) await delay(firstEventPollMs, undefined, { signal });
        return;
      }
    }
  }

  return async () => {
    try {
      await delay(quietMs, undefined, { signal });
      for (const step of o.plan) {
        say(`↻ ${describeStep(step)}`);
        const began = now();
        try {
          await take(step);
        } catch (error) {
          signal.throwIfAborted();
          const crash = { process: describeStep(step), how: 'failed', errors: [errorText(error)] };
          history.add({ line: 'crash', at: now(), crash });
          // without the migration, the processes of the new release would wait forever
          if (step.kind === 'migrate') return;
        }
        history.add({ line: 'step', began, ended: now(), step });
      }
      await delay(quietMs, undefined, { signal });
    } finally {
      o.onDone();
    }
  };
}
