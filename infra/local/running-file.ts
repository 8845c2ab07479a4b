import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The file that a running start keeps in its folder. The file serves as the lock against a second start, and shows other commands how to reach the
 * suite.
 */
export type Running = {
  pid: number;
  url: string;
  /** Present once everything is ready. */
  ready?: {
    mailPageUrl?: string;
    operatorAmqpUrl: string;
    authUrl: string;
    consumers: Record<ConsumerName, ConsumerAccess>;
    readyAt: string;
  };
};

/** Services that subscribe to events, and so have dead letters and a user directory. */
export type ConsumerName = 'tasks' | 'notifications';

export const consumerNames: readonly ConsumerName[] = ['tasks', 'notifications'];

/** The database of a service, and its credentials for calling Auth. */
export type ConsumerAccess = { databaseUrl: string; issuer: string; clientId: string; privateKey: string };

/** The folder for a start's data, its logs and this file: `.local` of the clone, unless TASKWIRE_LOCAL_DIR names another folder. */
export function localFolder(env: Readonly<Record<string, string | undefined>> = process.env): string {
  return resolve(env['TASKWIRE_LOCAL_DIR'] || fileURLToPath(new URL('../../.local', import.meta.url)));
}

/**
 * `taken`: another start is running in this folder. `free` and `left`: this start owns the file now; for `left`, an earlier start ended without
 * cleaning up.
 */
export function lockFolder(
  file: string,
  mine: Running,
): { kind: 'free' } | { kind: 'left' } | { kind: 'taken'; by: Running } {
  mkdirSync(dirname(file), { recursive: true });
  const text = JSON.stringify(mine);
  try {
    writeFileSync(file, text, { flag: 'wx', mode: 0o600 });
    return { kind: 'free' };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const before = readRunning(file);
  if (before !== undefined) return { kind: 'taken', by: before };
  writeFileSync(file, text, { mode: 0o600 });
  return { kind: 'left' };
}

/** The start running in this folder, if any. */
export function readRunning(file: string): Running | undefined {
  try {
    const found = JSON.parse(readFileSync(file, 'utf8')) as Running;
    return isLauncher(found.pid) ? found : undefined;
  } catch {
    return undefined;
  }
}

export function writeRunning(file: string, mine: Running): void {
  writeFileSync(file, JSON.stringify(mine), { mode: 0o600 });
}

export function unlockFolder(file: string): void {
  rmSync(file, { force: true });
}

// the id of a killed process may have been reused by another program
function isLauncher(pid: number): boolean {
  try {
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).includes(
      'infra/local/start',
    );
  } catch {
    return false;
  }
}
