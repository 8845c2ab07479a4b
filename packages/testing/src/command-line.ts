import { Readable, Writable } from 'node:stream';

/** The parts of a process that a command-line program uses. */
type CommandProcess = {
  args: string[];
  env: Readonly<Record<string, string | undefined>>;
  stdin: Readable;
  stdout: Writable;
  stderr: Writable;
};

/** Runs a command-line program in this process, which avoids starting a new one. Returns its exit code and output. */
export async function runInProcess(
  program: (process: CommandProcess) => Promise<number>,
  { args, env, input = '' }: { args: string[]; env: Readonly<Record<string, string | undefined>>; input?: string },
) {
  const output = { stdout: '', stderr: '' };
  const writer = (name: keyof typeof output) =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        output[name] += chunk.toString();
        done();
      },
    });
  const stdin = Readable.from([Buffer.from(input)]);
  const code = await program({ args, env, stdin, stdout: writer('stdout'), stderr: writer('stderr') });
  return { code, ...output };
}
