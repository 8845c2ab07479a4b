import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { findNginx, findPgbouncer, findRabbit } from '@taskwire/process-supervisor';
import { installSystemPackages } from './system-packages.mjs';

/**
 * Installs rabbitmq-server and nginx if missing.
 * @throws with the remedy if that fails.
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

/** The browser for the end-to-end tests: Debian's, or an already installed one. */
export function findBrowser(): string | undefined {
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/bin', '/snap/bin'];
  const macOs = '/Applications/Chromium.app/Contents/MacOS/Chromium';
  return [...folders.flatMap((folder) => names.map((name) => join(folder, name))), macOs].find((file) =>
    existsSync(file),
  );
}

/** Installs Chromium if no browser is installed. @throws with the remedy if that fails. */
export async function installBrowser(say: (text: string) => void): Promise<void> {
  if (findBrowser() !== undefined) return;
  await installSystemPackages(['chromium'], say, {});
  if (findBrowser() === undefined) throw new Error('chromium was installed but cannot be found.');
}

/** Installs PgBouncer, through which tests connect to PostgreSQL, if missing. @throws with the remedy if that fails. */
export async function installPooler(say: (text: string) => void): Promise<void> {
  if (findPgbouncer() !== undefined) return;
  await installSystemPackages(['pgbouncer'], say, {});
  if (findPgbouncer() === undefined) throw new Error('pgbouncer was installed but cannot be found.');
}
