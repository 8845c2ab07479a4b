import { rmSync } from 'node:fs';
import { disposableFolder } from '../src/index.ts';

/** A folder for one test, and a function that removes it. */
export function scratchFolder(): { dir: string; remove(): void } {
  const dir = disposableFolder('taskwire-local-');
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true, maxRetries: 10 }) };
}
