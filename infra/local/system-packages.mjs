// Plain JavaScript, because bootstrap.mjs needs it before a Node that strips types is installed.
import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Installs system packages: with apt on Debian, as root or with a sudo that needs no password; with Homebrew on macOS, under the names in
 * `brewNames`. Services that these packages install are not left running.
 */
export async function installSystemPackages(names, say, brewNames = {}) {
  const install = findInstaller();
  if (!install) {
    throw new Error(
      `Please install ${names.join(' and ')} (for example: sudo apt-get install ${names.join(' ')}), or use docker compose up instead.`,
    );
  }
  say(`installing ${names.join(' and ')} …`);
  const began = performance.now();
  const seconds = () => `${((performance.now() - began) / 1000).toFixed(1)} s`;
  const progress = setInterval(() => say(`installing … ${seconds()}`), 10_000);
  try {
    await install(names, brewNames);
  } finally {
    clearInterval(progress);
  }
  say(`installed ${names.join(' and ')} in ${seconds()}`);
}

function findInstaller() {
  if (process.platform === 'darwin') return succeeds('brew', ['--version']) ? installWithBrew : undefined;
  if (!succeeds('apt-get', ['--version'])) return undefined;
  if (process.getuid?.() === 0) return (names) => installWithApt([], names);
  return succeeds('sudo', ['-n', 'true']) ? (names) => installWithApt(['sudo', '-n'], names) : undefined;
}

async function installWithBrew(names, brewNames) {
  await attempt('brew', ['install', ...names.map((name) => brewNames[name] ?? name)]);
}

// Debian starts a service as soon as its package is installed, unless policy-rc.d forbids it. Under systemd, the service would also
// start with the machine, so it is disabled as well.
const policy = '/usr/sbin/policy-rc.d';

async function installWithApt(sudo, names) {
  const asRoot = async (...command) => {
    const [program, ...rest] = [...sudo, 'env', 'DEBIAN_FRONTEND=noninteractive', ...command];
    await attempt(program, rest);
  };
  const ownPolicy = !existsSync(policy);
  if (ownPolicy) await asRoot('sh', '-c', `printf '#!/bin/sh\\nexit 101\\n' > ${policy} && chmod 755 ${policy}`);
  try {
    // even if the package index could not be refreshed, the old index is often sufficient
    await asRoot('apt-get', 'update', '-q').catch(() => undefined);
    await asRoot('apt-get', 'install', '-y', '-q', '--no-install-recommends', ...names);
  } finally {
    if (ownPolicy) await asRoot('rm', '-f', policy);
  }
  if (!existsSync('/run/systemd/system')) return;
  // `systemctl disable` fails for a package without a service of the same name
  for (const name of names) await asRoot('systemctl', 'disable', '--now', name).catch(() => undefined);
}

async function attempt(command, args) {
  await run(command, args, { maxBuffer: 64 * 1024 * 1024 }).catch((error) => {
    const last = `${error.stdout ?? ''}\n${error.stderr ?? ''}`.trim().split('\n').slice(-10).join('\n');
    throw new Error(
      `${command} ${args.join(' ')} failed:\n${last}\nInstall it by hand, or use docker compose up instead.`,
      {
        cause: error,
      },
    );
  });
}

function succeeds(command, args) {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
