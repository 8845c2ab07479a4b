// npm run test:rabbitmq4 [-- <part of a path> …] [-- --grep <text>]
//
// The messaging tests on RabbitMQ 4, from a Debian 13 that is set up once in .local/debian13.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errorText } from '@taskwire/errors';
import { runToEnd } from '@taskwire/process-supervisor';
import { installSystemPackages } from '../../infra/local/system-packages.mjs';

const tree = fileURLToPath(new URL('../../.local/debian13', import.meta.url));
const programs = fileURLToPath(new URL('debian13', import.meta.url));

const messaging = [
  'packages/rabbit/',
  'packages/outbox/',
  'packages/inbox/',
  'packages/process-supervisor/test/rabbit',
  'services/auth/test/events.component',
  'services/tasks/test/messaging.component',
  'services/tasks/test/dead-letters.component',
  'services/notifications/test/notifying',
  'services/notifications/test/handoff.component',
  'services/notifications/test/killed',
  'services/notifications/test/dead-letters.component',
];

try {
  await makeTree();
} catch (error) {
  console.error(errorText(error));
  process.exit(1);
}
process.env['TASKWIRE_RABBITMQ_PROGRAMS'] = programs;
process.env['TASKWIRE_TEST_STAGES'] = 'rabbitmq4';
if (process.argv.slice(2).every((arg) => arg.startsWith('-'))) process.argv.splice(2, 0, ...messaging);
// in this process, which receives the signals and the bootstrap's kill -9
await import('./run.ts');

async function makeTree(): Promise<void> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0 || !mayMount()) {
    throw new Error(
      'npm run test:rabbitmq4 creates a Debian 13 and mounts folders into it, so it must run as root on a Linux that allows unshare --mount.',
    );
  }
  if (existsSync(tree)) return;
  if (!existsSync('/usr/sbin/debootstrap')) await installSystemPackages(['debootstrap'], console.log);
  console.log(`Creating Debian 13 in ${tree}, once; this takes about two minutes …`);
  // ends with this process, even if it is killed with -9
  await runToEnd({
    name: 'debootstrap',
    command: join(programs, 'make'),
    args: [tree],
    env: process.env,
    logFile: `${tree}.log`,
    timeoutMs: 15 * 60_000,
  });
}

function mayMount(): boolean {
  try {
    execFileSync('unshare', ['--mount', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
