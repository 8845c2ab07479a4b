// A process that starts a part which ignores SIGTERM, prints its id, and waits to be killed.
import { join } from 'node:path';
import { guardFolder, inheritedEnv, startPart } from '../src/index.ts';

const [dir = ''] = process.argv.slice(2);
guardFolder(join(dir, 'temporary'));
const part = await startPart({
  name: 'stubborn',
  command: 'sh',
  args: ['-c', 'trap "" TERM; while :; do sleep 0.1; done'],
  env: inheritedEnv(),
  logFile: join(dir, 'stubborn.log'),
  ready: () => Promise.resolve(true),
  readyTimeoutMs: 5000,
});
process.stdout.write(`${part.pid}\n`);
