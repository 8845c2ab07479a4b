// npm run pgbackrest: runs infra/postgres/pgbackrest/ on PostgreSQL 18 of Debian testing: backups, a restore to a point in time, a check of the data.
// Requires root and debootstrap. The first run installs Debian testing in .local/backups, which takes a few minutes. Exits with 2 if it cannot run,
// which does not count as a pass.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spawnSync } from 'node:child_process';
import { localFolder } from '../../infra/local/running-file.ts';

const programs = fileURLToPath(new URL('./forky/', import.meta.url));
const configuration = fileURLToPath(new URL('../../infra/postgres/pgbackrest/', import.meta.url));

process.exitCode = main();

function main(): number {
  const reason = obstacle();
  if (reason !== undefined) {
    console.error(`The configuration of pgBackRest was not run: ${reason}.`);
    return 2;
  }
  const folder = join(localFolder(), 'backups');
  const tree = join(folder, 'forky');
  mkdirSync(folder, { recursive: true });
  if (!existsSync(tree) && !run('make', tree)) return 1;
  if (!run('exercise', tree, configuration)) return 1;
  console.log('The configuration of pgBackRest backs up and restores.');
  return 0;
}

function obstacle(): string | undefined {
  if (process.getuid?.() !== 0) return 'it needs root, to install a Debian in a folder';
  if (!existsSync('/usr/sbin/debootstrap')) return 'debootstrap is not installed';
  return undefined;
}

function run(program: string, ...args: string[]): boolean {
  const { status, error } = spawnSync(join(programs, program), args, { stdio: 'inherit' });
  if (error !== undefined) console.error(String(error));
  return status === 0;
}
