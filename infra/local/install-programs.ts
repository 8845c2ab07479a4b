import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { findNginx, findRabbit } from '@taskwire/local-servers';

const run = promisify(execFile);

type Say = (text: string) => void;

/**
 * Installs rabbitmq-server and nginx where they are missing: with apt as root or with a sudo that asks nothing, or with Homebrew. The
 * services that come with them are not left running.
 * @throws with the one thing to do when neither works.
 */
export async function installPrograms(say: Say): Promise<void> {
  const missing = [
    ...(findRabbit() === undefined ? ['rabbitmq-server'] : []),
    ...(findNginx() === undefined ? ['nginx'] : []),
  ];
  if (missing.length === 0) return;
  const install = findInstaller();
  if (!install) {
    throw new Error(
      `Please install ${missing.join(' and ')} (for example: sudo apt-get install ${missing.join(' ')}), or use docker compose up instead.`,
    );
  }
  say(`installing ${missing.join(' and ')} …`);
  const began = performance.now();
  const progress = setInterval(() => say(`installing … ${seconds(began)}`), 10_000);
  try {
    await install(missing);
  } finally {
    clearInterval(progress);
  }
  say(`installed ${missing.join(' and ')} in ${seconds(began)}`);
  if (findRabbit() === undefined || findNginx() === undefined) {
    throw new Error(`${missing.join(' and ')} were installed but cannot be found; use docker compose up instead.`);
  }
}

function findInstaller(): ((names: string[]) => Promise<void>) | undefined {
  if (process.platform === 'darwin') return succeeds('brew', ['--version']) ? installWithBrew : undefined;
  if (!succeeds('apt-get', ['--version'])) return undefined;
  if (process.getuid?.() === 0) return (names) => installWithApt([], names);
  return succeeds('sudo', ['-n', 'true']) ? (names) => installWithApt(['sudo', '-n'], names) : undefined;
}

async function installWithBrew(names: string[]): Promise<void> {
  const formulas = names.map((name) => (name === 'rabbitmq-server' ? 'rabbitmq' : name));
  await attempt('brew', ['install', ...formulas]);
}

// Debian starts a service as soon as its package is installed, unless policy-rc.d says no. Where systemd runs, it would start again
// with the machine, so it is disabled as well.
const policy = '/usr/sbin/policy-rc.d';

async function installWithApt(sudo: string[], names: string[]): Promise<void> {
  const asRoot = async (command: string, ...args: string[]) => {
    const [program = '', ...rest] = [...sudo, 'env', 'DEBIAN_FRONTEND=noninteractive', command, ...args];
    await attempt(program, rest);
  };
  const ownPolicy = !existsSync(policy);
  if (ownPolicy) await asRoot('sh', '-c', `printf '#!/bin/sh\\nexit 101\\n' > ${policy} && chmod 755 ${policy}`);
  try {
    await asRoot('apt-get', 'update', '-q').catch(() => undefined); // an old index often still serves
    await asRoot('apt-get', 'install', '-y', '-q', '--no-install-recommends', ...names);
  } finally {
    if (ownPolicy) await asRoot('rm', '-f', policy);
  }
  if (existsSync('/run/systemd/system')) await asRoot('systemctl', 'disable', '--now', ...names).catch(() => undefined);
}

async function attempt(command: string, args: string[]): Promise<void> {
  await run(command, args, { maxBuffer: 64 * 1024 * 1024 }).catch((error: unknown) => {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    const last = `${stdout}\n${stderr}`.trim().split('\n').slice(-10).join('\n');
    throw new Error(
      `${command} ${args.join(' ')} failed:\n${last}\nInstall it by hand, or use docker compose up instead.`,
      {
        cause: error,
      },
    );
  });
}

function succeeds(command: string, args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function seconds(began: number): string {
  return `${((performance.now() - began) / 1000).toFixed(1)} s`;
}
