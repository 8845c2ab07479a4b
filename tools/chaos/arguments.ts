import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { bugNames, type BugName } from './bugs.ts';

export type Arguments = {
  minutes: number;
  seed: string;
  /** The number of processes of each service. */
  replicas: 1 | 2;
  /** `tasks`: users stay as they are and work faster, so that there are several times as many tasks and journeys. */
  traffic: 'all' | 'tasks';
  /** Deliberate bugs that have to be found. */
  planted: BugName[];
  /** Whether to keep the suite's folder, with its logs and data, and print its path. */
  keep: boolean;
  /** A history whose faults and requests are repeated at the same times. */
  replay: string | undefined;
  /** A history that is only checked again. */
  check: string | undefined;
};

export const usage = `npm run chaos -- [--minutes 2] [--seed text] [--replicas 1|2] [--traffic all|tasks] [--bug ${bugNames.join('|')}]… [--keep]
npm run chaos -- --replay <history>     the same faults and requests at the same times
npm run chaos -- --check <history>      runs nothing, and checks the history again`;

/** Returns the parsed arguments, or an error that names the invalid one. */
export function readArguments(args: string[]): Arguments | Error {
  try {
    return parse(args);
  } catch (error) {
    return error as Error;
  }
}

function parse(args: string[]): Arguments {
  const { values } = parseArgs({
    args,
    options: {
      minutes: { type: 'string', default: '2' },
      seed: { type: 'string', default: randomBytes(4).toString('hex') },
      replicas: { type: 'string', default: '2' },
      traffic: { type: 'string', default: 'all' },
      bug: { type: 'string', multiple: true, default: [] },
      keep: { type: 'boolean', default: false },
      replay: { type: 'string' },
      check: { type: 'string' },
    },
  });
  const { seed, keep, replay, check } = values;
  const minutes = Number(values.minutes);
  if (!(minutes > 0 && minutes <= 24 * 60)) throw new Error(`--minutes ${values.minutes} is not a number of minutes.`);
  if (!/^[\w.-]{1,60}$/.test(seed)) throw new Error(`--seed ${seed} cannot be the name of a file.`);
  const replicas = ([1, 2] as const).find((number) => String(number) === values.replicas);
  if (replicas === undefined) throw new Error(`--replicas ${values.replicas} is neither 1 nor 2.`);
  const traffic = (['all', 'tasks'] as const).find((name) => name === values.traffic);
  if (traffic === undefined) throw new Error(`--traffic ${values.traffic} is neither all nor tasks.`);
  const planted = values.bug.map((wanted) => {
    const name = bugNames.find((one) => one === wanted);
    if (name === undefined) throw new Error(`There is no bug ${wanted}.`);
    return name;
  });
  return { minutes, seed, replicas, traffic, planted, keep, replay, check };
}
