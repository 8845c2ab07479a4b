import { findNginx, findRabbit } from '@taskwire/local-servers';
import { installSystemPackages } from './system-packages.mjs';

/**
 * Installs rabbitmq-server and nginx where they are missing.
 * @throws with the one thing to do when that does not work.
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
