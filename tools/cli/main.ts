// npm run taskwire -- <command>: the operators' commands
import { runCommand } from './run-command.ts';
import { withDotEnv } from './suite-environment.ts';

process.exitCode = await runCommand({
  program: 'npm run taskwire --',
  args: process.argv.slice(2),
  env: withDotEnv(process.env),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
});
