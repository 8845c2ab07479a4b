import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { localFolder, readRunning, type Running } from '../../infra/local/running-file.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** The variables of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Adds the variables of `.env`, as npm start does: a variable that is already set keeps its value. */
export function withDotEnv(env: Environment): Environment {
  try {
    return { ...parseEnv(readFileSync(join(root, '.env'), 'utf8')), ...env };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return env;
    throw error;
  }
}

/** Returns the suite that `npm start` runs on this machine, if it is ready. */
export function runningSuite(env: Environment): Running['ready'] {
  return readRunning(join(localFolder(env), 'running.json'))?.ready;
}
