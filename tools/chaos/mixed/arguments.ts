import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { plantedNames, type PlantedName } from './planted.ts';

export type MixedArguments = {
  /** The recorded release from which the suite is updated; the last one if undefined. */
  from: string | undefined;
  seed: string;
  /** A deliberate break, which has to be found. */
  planted: PlantedName | undefined;
  /** Whether to keep the suite's folder and the worktrees. */
  keep: boolean;
};

export const mixedUsage = `npm run mixed -- [--from <release>] [--seed text] [--planted ${plantedNames.join('|')}] [--keep]`;

/** Returns the parsed arguments, or an error that names the invalid one. */
export function readMixedArguments(args: string[]): MixedArguments | Error {
  try {
    const { values } = parseArgs({
      args,
      options: {
        from: { type: 'string' },
        seed: { type: 'string', default: randomBytes(4).toString('hex') },
        planted: { type: 'string' },
        keep: { type: 'boolean', default: false },
      },
    });
    const { from, seed, keep } = values;
    if (from !== undefined && !/^\d+\.\d+\.\d+$/.test(from))
      throw new Error('--from must be a release, such as 0.1.0.');
    if (!/^[\w.-]{1,60}$/.test(seed)) throw new Error(`--seed ${seed} cannot be the name of a file.`);
    const planted = plantedNames.find((name) => name === values.planted);
    if (values.planted !== undefined && planted === undefined) throw new Error(`There is no break ${values.planted}.`);
    return { from, seed, planted, keep };
  } catch (error) {
    return error as Error;
  }
}
