import { Readable, Writable } from 'node:stream';
import { runCommand } from '../../src/cli/run-command.ts';

/** Runs a command of Auth in this process: a new one would only add its start. */
export async function runHere(args: string[], env: Record<string, string>, input = '') {
  const output = { stdout: '', stderr: '' };
  const writer = (name: keyof typeof output) =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        output[name] += chunk.toString();
        done();
      },
    });
  const stdin = Readable.from([Buffer.from(input)]);
  const code = await runCommand({ args, env, stdin, stdout: writer('stdout'), stderr: writer('stderr') });
  return { code, ...output };
}
