// A process that starts a child that ignores SIGTERM, prints its id, and waits to be killed.
import { join } from 'node:path';
import { reapFolderIfOrphaned, inheritedEnv, startProcess } from '../src/index.ts';

const [dir = ''] = process.argv.slice(2);
reapFolderIfOrphaned(join(dir, 'temporary'));
const child = await startProcess({
  name: 'stubborn',
  command: 'sh',
  args: ['-c', 'trap "" TERM; while :; do sleep 0.1; done'],
  env: inheritedEnv(),
  logFile: join(dir, 'stubborn.log'),
  ready: () => Promise.resolve(true),
  readyTimeoutMs: 5000,
});
process.stdout.write(`${child.pid}\n`);
