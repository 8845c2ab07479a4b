import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { errorText } from '@taskwire/errors';
import { installSystemPackages } from '../../infra/local/system-packages.mjs';

/** Containers cannot run on this machine. The message gives the reason and the remedy. */
export class Skipped extends Error {
  override readonly name = 'Skipped';
}

/** The properties of a machine that determine whether containers can run. */
export type Machine = {
  platform: string;
  isRoot: boolean;
  mayMount: boolean;
  hasProgram: (name: string) => boolean;
};

/** The required programs, each with the Debian package that contains it. */
const programs: Readonly<Record<string, string>> = {
  podman: 'podman',
  runc: 'runc',
  conmon: 'conmon',
  netavark: 'netavark',
  'aardvark-dns': 'aardvark-dns',
  iptables: 'iptables',
};

/** Returns the reason why installing packages would not help; undefined if it would. */
export function obstacleOn({ platform, isRoot, mayMount }: Machine): string | undefined {
  if (platform !== 'linux')
    return `podman runs containers on Linux, and this is ${platform}. Use a Linux machine, such as the one of CI.`;
  if (!isRoot)
    return 'it must run as root: it mounts folders and creates networks. Try: sudo env "PATH=$PATH" npm run containers';
  if (!mayMount)
    return 'this machine does not allow unshare --mount. Use a virtual machine, or a container with all capabilities.';
  return undefined;
}

/** The packages of Debian that are missing. */
export function missingPackages({ hasProgram }: Machine): string[] {
  return Object.entries(programs).flatMap(([program, name]) => (hasProgram(program) ? [] : [name]));
}

/** Installs podman and its helpers if they are missing. @throws Skipped if containers cannot run here. */
export async function requirePodman(say: (text: string) => void, machine: Machine = thisMachine()): Promise<void> {
  const obstacle = obstacleOn(machine);
  if (obstacle !== undefined) throw new Skipped(obstacle);
  const missing = missingPackages(machine);
  if (missing.length === 0) return;
  try {
    await installSystemPackages(missing, say);
  } catch (error) {
    throw new Skipped(`${missing.join(', ')} are missing. ${errorText(error)}`);
  }
  const still = missingPackages(machine);
  if (still.length > 0) throw new Skipped(`${still.join(', ')} were installed but cannot be found.`);
}

function thisMachine(): Machine {
  return {
    platform: process.platform,
    isRoot: process.getuid?.() === 0,
    mayMount: succeeds('unshare', ['--mount', 'true']),
    hasProgram: (name) => findProgram(name) !== undefined,
  };
}

/** Returns the path of a program, including podman's helpers, which are not on the PATH. */
export function findProgram(name: string): string | undefined {
  const folders = [
    ...(process.env['PATH'] ?? '').split(':'),
    '/usr/sbin',
    '/sbin',
    '/usr/lib/podman',
    '/usr/libexec/podman',
  ];
  return folders.map((folder) => join(folder, name)).find((file) => existsSync(file));
}

function succeeds(command: string, args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
