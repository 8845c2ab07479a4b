import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { guardFolder, releaseFolder } from '@taskwire/local-servers';

/** A folder for the data of one run; a run that is interrupted or killed leaves none behind either. */
export function temporaryFolder(): { dir: string; remove(): void } {
  const dir = mkdtempSync(join(tmpdir(), 'taskwire-bench-'));
  guardFolder(dir);
  return {
    dir,
    remove() {
      rmSync(dir, { recursive: true, force: true });
      releaseFolder(dir);
    },
  };
}
