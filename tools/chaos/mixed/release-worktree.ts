import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compareReleases } from '@taskwire/postgres';
import type { Release } from '../../../infra/local/own-servers.ts';

/** A release in its own worktree. */
export type ReleaseWorktree = Release & { remove(): void };

/** Returns the version of the last release recorded in `releases/`. @throws if none is recorded. */
export function lastRelease(root: string): string {
  const files = readdirSync(join(root, 'releases')).filter((file) => file.endsWith('.json'));
  const last = files
    .map((file) => file.slice(0, -'.json'.length))
    .sort(compareReleases)
    .at(-1);
  if (last === undefined) throw new Error('releases/ records no release.');
  return last;
}

/** Returns the commit of a recorded release. @throws if none is recorded, or if this clone lacks its commit. */
export function commitOf(root: string, release: string): string {
  const file = join(root, 'releases', `${release}.json`);
  let commit: string;
  try {
    ({ commit } = JSON.parse(readFileSync(file, 'utf8')) as { commit: string });
  } catch (error) {
    throw new Error(`releases/${release}.json records no release.`, { cause: error });
  }
  try {
    git(root, 'cat-file', '-e', `${commit}^{commit}`);
  } catch {
    throw new Error(`This clone lacks commit ${commit}; fetch it with: git fetch origin ${commit}`);
  }
  return commit;
}

/** Checks a commit out into a folder, and lets its own launcher install the dependencies. `change` may edit the files before that. */
export async function checkOut(
  root: string,
  o: { dir: string; commit: string; change: (dir: string) => void; signal: AbortSignal },
): Promise<ReleaseWorktree> {
  const { dir } = o;
  mkdirSync(join(dir, '..'), { recursive: true, mode: 0o700 });
  const remove = (): void => {
    rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
    git(root, 'worktree', 'prune');
  };
  remove();
  git(root, 'worktree', 'add', '--detach', dir, o.commit);
  try {
    o.change(dir);
    await install(dir, o.signal);
  } catch (error) {
    remove();
    throw error;
  }
  return { root: dir, node: join(dir, 'node_modules/node/bin/node'), remove };
}

/** Sets the version of a worktree, which its database sessions name and its migrations compare. */
export function setVersion(dir: string, version: string): void {
  const file = join(dir, 'packages/postgres/package.json');
  writeFileSync(file, readFileSync(file, 'utf8').replace(/"version": "[^"]+"/, `"version": "${version}"`));
}

/** Returns the version of this checkout or, if that is already a recorded release, the next minor version. */
export function nextVersion(root: string, from: string): string {
  const { version } = JSON.parse(readFileSync(join(root, 'packages/postgres/package.json'), 'utf8')) as {
    version: string;
  };
  if (version !== from) return version;
  const [major = '0', minor = '0'] = from.split('.');
  return `${major}.${Number(minor) + 1}.0`;
}

/** Environment variables of this run that would make the other checkout use this checkout's files. */
const ownVariables = /^(TASKWIRE_|NODE_COMPILE_CACHE$|NODE_OPTIONS$|npm_)/;

async function install(dir: string, signal: AbortSignal): Promise<void> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !ownVariables.test(name)));
  // the launcher installs the dependencies before it runs a module; this module does nothing
  const args = ['infra/local/bootstrap.mjs', 'infra/local/ports.ts'];
  const child = spawn(process.execPath, args, { cwd: dir, env, stdio: ['ignore', 'pipe', 'pipe'], signal });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const code = await new Promise<number | null>((resolve, reject) =>
    child.once('error', reject).once('close', resolve),
  );
  if (code !== 0) throw new Error(`The dependencies of ${dir} could not be installed:\n${output}`);
}

/** Runs git in the repository and returns its output. */
export function git(root: string, ...args: string[]): string {
  return execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
