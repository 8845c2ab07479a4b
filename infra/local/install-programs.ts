import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { findAlertmanager, findNginx, findPgbouncer, findPrometheus, findRabbit } from '@taskwire/process-supervisor';
import { installSystemPackages } from './system-packages.mjs';

/**
 * Installs rabbitmq-server and nginx if missing.
 * @throws an error with the remedy if that fails.
 */
export async function installPrograms(say: (text: string) => void): Promise<void> {
  const missing = [
    ...(findRabbit() === undefined ? ['rabbitmq-server'] : []),
    ...(findNginx() === undefined ? ['nginx'] : []),
  ];
  if (missing.length === 0) return;
  await installSystemPackages(missing, say, { 'rabbitmq-server': 'rabbitmq' });
  if (findRabbit() === undefined || findNginx() === undefined) {
    throw new Error(`${missing.join(' and ')} were installed but cannot be found; use docker compose up instead.`);
  }
}

/** Chromium without windows, for which a page costs a third of the processor time. */
const headlessShell = 'chromium-headless-shell';

/** The browser for the end-to-end tests: Debian's, or an already installed one. */
export function findBrowser(): string | undefined {
  const names = [headlessShell, 'chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/bin', '/snap/bin'];
  const macOs = '/Applications/Chromium.app/Contents/MacOS/Chromium';
  return [...names.flatMap((name) => folders.map((folder) => join(folder, name))), macOs].find((file) =>
    existsSync(file),
  );
}

/**
 * Installs Chromium's headless shell where there is a package of it, or else Chromium if no browser is installed.
 * @throws an error with the remedy if that fails.
 */
export async function installBrowser(say: (text: string) => void): Promise<void> {
  const installed = findBrowser();
  if (installed?.endsWith(headlessShell) === true) return;
  if (installed === undefined || hasPackage(headlessShell)) {
    // any other browser runs the same tests
    await installSystemPackages([headlessShell], say, {}).catch(() => undefined);
  }
  if (findBrowser() !== undefined) return;
  await installSystemPackages(['chromium'], say, {});
  if (findBrowser() === undefined) throw new Error('chromium was installed but cannot be found.');
}

/** Whether the package index of this machine knows the package, without asking a server. */
function hasPackage(name: string): boolean {
  return spawnSync('apt-cache', ['show', name], { stdio: 'ignore' }).status === 0;
}

/**
 * Installs PgBouncer if missing; tests connect to PostgreSQL through it.
 * @throws an error with the remedy if that fails.
 */
export async function installPooler(say: (text: string) => void): Promise<void> {
  if (findPgbouncer() !== undefined) return;
  await installSystemPackages(['pgbouncer'], say, {});
  if (findPgbouncer() === undefined) throw new Error('pgbouncer was installed but cannot be found.');
}

/**
 * Installs Prometheus and Alertmanager if missing.
 * @throws an error with the remedy if that fails.
 */
export async function installMonitoring(say: (text: string) => void): Promise<void> {
  const missing = [
    ...(findPrometheus() === undefined ? ['prometheus'] : []),
    ...(findAlertmanager() === undefined ? ['prometheus-alertmanager'] : []),
  ];
  if (missing.length === 0) return;
  await installSystemPackages(missing, say, { 'prometheus-alertmanager': 'alertmanager' });
  if (findPrometheus() === undefined || findAlertmanager() === undefined) {
    throw new Error(`${missing.join(' and ')} were installed but cannot be found.`);
  }
}
