// npm run restore-drill -- --service <auth|tasks|notifications> [--seed <n>]
//
// Starts a separate suite under load, deletes the database of one service, restores it to a point in time, and follows docs/runbooks/restore.md.
// Prints the seconds of each step. Exits with 1 if something that was acknowledged is lost, or if the suite is not consistent.
import { randomInt } from 'node:crypto';
import { rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { errorText } from '@taskwire/errors';
import { disposableFolder, killAllProcesses, reapFolderIfOrphaned, releaseFolder } from '@taskwire/process-supervisor';
import { onStopSignal } from '../../infra/local/stop-signal.ts';
import { runDrill } from './drill.ts';
import type { ServiceName } from './scenarios.ts';

const services: readonly ServiceName[] = ['auth', 'tasks', 'notifications'];

process.exitCode = await main();

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { service: { type: 'string' }, seed: { type: 'string' } } });
  const service = services.find((one) => one === values.service);
  const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed);
  if (service === undefined || !Number.isInteger(seed)) {
    console.error('usage: npm run restore-drill -- --service <auth|tasks|notifications> [--seed <n>]');
    return 2;
  }
  const dir = disposableFolder('taskwire-restore-');
  reapFolderIfOrphaned(dir);
  onStopSignal(() => void killAllProcesses());
  try {
    const { seconds } = await runDrill({ service, seed, dir, say: (text) => console.log(text) });
    console.log(`The suite is consistent and works ${seconds.toFixed(1)} s after the first step (seed ${seed}).`);
    return 0;
  } catch (error) {
    console.error(`The drill failed (seed ${seed}): ${errorText(error)}`);
    return 1;
  } finally {
    rmSync(dir, { recursive: true, force: true, maxRetries: 12, retryDelay: 100 });
    releaseFolder(dir);
  }
}
