// npm run logs -- --task <id>: the lines of all services about one task or request
import { join } from 'node:path';
import { localFolder } from '../../../infra/local/running-file.ts';
import { runLogs } from './run-logs.ts';

// the reader of a pipe, such as head, may have enough
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

process.exitCode = await runLogs({
  args: process.argv.slice(2),
  folders: ['logs', 'nginx'].map((name) => join(localFolder(), name)),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
});
