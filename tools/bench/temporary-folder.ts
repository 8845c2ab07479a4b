import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reapFolderIfOrphaned, releaseFolder } from '@taskwire/process-supervisor';

/** A folder for the data of one run; it is removed even if the run is interrupted or killed. */
export function temporaryFolder(): { dir: string; remove(): void } {
  const dir = mkdtempSync(join(tmpdir(), 'taskwire-bench-'));
  reapFolderIfOrphaned(dir);
  return {
    dir,
    remove() {
      rmSync(dir, { recursive: true, force: true });
      releaseFolder(dir);
    },
  };
}
