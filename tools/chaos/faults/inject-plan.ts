import { setTimeout as delay } from 'node:timers/promises';
import type { History } from '../history.ts';
import { createRandom } from '../random.ts';
import type { RunOptions } from '../run.ts';
import { describeFault, type PlannedFault } from '../schedule.ts';
import { createInject } from './inject.ts';

/** Injects each fault of a plan at its planned time. */
export function injectPlan(
  o: Pick<RunOptions, 'underTest' | 'seed' | 'now' | 'say' | 'signal'> & {
    plan: readonly PlannedFault[];
    history: History;
  },
): RunOptions['disturb'] {
  const { underTest, history, now, say } = o;
  return async ({ operator, ending, fleet }) => {
    if (fleet === undefined) throw new Error('without a fleet, there are no workers to disturb');
    const inject = createInject({
      ...{ underTest, operator, ending, workers: fleet.workers },
      random: createRandom(`${o.seed}/injections`),
      onInjection: (injection) => history.add({ line: 'injection', at: now(), injection }),
      onTakeover: (takeover) => history.add({ line: 'takeover', at: now(), takeover }),
      signal: o.signal,
    });
    const breakOne = async ({ at, fault }: PlannedFault): Promise<void> => {
      await delay(Math.max(0, at - now()), undefined, { signal: ending });
      say(`✂ ${describeFault(fault)}`);
      const began = now();
      const injected = await inject(fault);
      history.add({ line: 'fault', began, ended: now(), fault, ...injected });
    };
    await Promise.all(o.plan.map((planned) => breakOne(planned).catch(() => undefined)));
  };
}
