// taskwire <command>, inside the container of a service: the operators' commands on the database of that service
import { imageEnvironment } from './image-environment.ts';
import { runCommand } from './run-command.ts';

process.exitCode = await runCommand({
  program: 'taskwire',
  args: process.argv.slice(2),
  env: imageEnvironment(process.env),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
});
