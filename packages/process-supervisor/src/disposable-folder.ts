import { chmodSync, mkdtempSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const inMemory = '/dev/shm';
// A whole test run writes about 2 GB. In containers, /dev/shm often has only 64 MB.
const roomBytes = 4 * 1024 ** 3;
// the programs need the rest of the memory
const memoryBytes = 6 * 1024 ** 3;

/**
 * Creates a folder for files that need not survive a crash of the machine. The folder is in memory if enough is free, which halves the time of
 * servers that create and delete many files; otherwise it is in the system's folder for temporary files.
 */
export function disposableFolder(prefix: string): string {
  const dir = mkdtempSync(join(hasRoom() ? inMemory : tmpdir(), prefix));
  // root runs PostgreSQL as another user, who must be able to traverse the folder
  chmodSync(dir, 0o711);
  return dir;
}

function hasRoom(): boolean {
  try {
    const { bavail, bsize } = statfsSync(inMemory);
    return bavail * bsize >= roomBytes && process.availableMemory() >= memoryBytes;
  } catch {
    // the folder does not exist, for example on macOS
    return false;
  }
}
