import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The first executable of this name in `places`, then in PATH. */
export function findProgram(name: string, places: string[]): string | undefined {
  const path = (process.env.PATH ?? '').split(delimiter);
  return [...places, ...path].map((place) => join(place, name)).find(isExecutable);
}

/** Whether `path` is a file that this process may execute. */
export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
