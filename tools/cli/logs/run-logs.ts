import { createReadStream, createWriteStream, existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Command, CommanderError } from 'commander';
import { errorText } from '@taskwire/errors';
import { readableLine } from '../../../infra/local/readable-line.ts';
import { exitCodes } from '../command-process.ts';
import { fieldOf, readLogLine, type LogLine } from './log-line.ts';
import { createSelection, type Subject } from './selection.ts';

type LogsProcess = {
  args: readonly string[];
  /** The folders with the logs of `npm start`, which are read if no file is given. */
  folders: readonly string[];
  stdin: Readable;
  stdout: Writable;
  stderr: Writable;
};

const help = `
Without files, it reads the logs of npm start, including those of the start before. - is standard input:
  kubectl logs --selector taskwire/service --prefix --tail -1 --max-log-requests 20 | npm run --silent logs -- --task <id> -
Lines that are no JSON objects are ignored. Exit codes: 0 found, 1 nothing found or a file cannot be read, 2 wrong arguments.`;

/** Prints the lines of all services about one task or one request, in order of time. Returns the exit code. */
export async function runLogs({ args, folders, stdin, stdout, stderr }: LogsProcess): Promise<number> {
  const given = readArguments(args, { stdout, stderr });
  if (typeof given === 'number') return given;
  const { subject, files, json } = given;
  let spool: string | undefined;
  try {
    // both passes read the same lines
    if (files.includes('-')) spool = await keep(stdin);
    const sources = (files.length === 0 ? logsIn(folders) : files).map((file) =>
      file === '-' && spool !== undefined ? { name: 'stdin', path: spool } : { name: nameOf(file), path: file },
    );
    const lines = await select(subject, sources);
    for (const { name, line } of lines)
      stdout.write(`${json ? line.text : readableLine(fieldOf(line, 'service') ?? name, line.text)}\n`);
    if (lines.length > 0) return exitCodes.done;
    stderr.write(`No line of ${sources.length} logs is about the ${subject.kind} ${subject.id}.\n`);
    return exitCodes.failed;
  } catch (error) {
    stderr.write(`${errorText(error)}\n`);
    return exitCodes.failed;
  } finally {
    if (spool !== undefined) rmSync(join(spool, '..'), { recursive: true, force: true });
  }
}

type Arguments = { subject: Subject; files: string[]; json: boolean };

/** Returns an exit code if nothing is left to do: after the help, and for wrong arguments. */
function readArguments(
  args: readonly string[],
  { stdout, stderr }: Pick<LogsProcess, 'stdout' | 'stderr'>,
): Arguments | number {
  const command = new Command('npm run logs --')
    .description('Prints the lines of all services about one task or one request, in order of time.')
    .option('--task <id>', 'the id of a task: its requests, events, notifications and mails')
    .option(
      '--request <id>',
      'the id of a request (X-Request-Id of its response, request_id of a problem), or the id that its caller sent',
    )
    .option('--json', 'prints the lines as they were logged')
    .argument('[files...]', 'logs, or - for standard input')
    .addHelpText('after', help)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
    });
  try {
    command.parse([...args], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    throw error;
  }
  const { task, request, json = false } = command.opts<{ task?: string; request?: string; json?: boolean }>();
  const id = (task ?? request ?? '').trim();
  if ((task === undefined) === (request === undefined) || id === '') {
    stderr.write('Give the id of a task (--task <id>) or of a request (--request <id>), and not both.\n');
    return exitCodes.usage;
  }
  const kind = task === undefined ? 'request' : 'task';
  if (!ids[kind].pattern.test(id)) {
    stderr.write(`--${kind} must be ${ids[kind].form}, not "${id}".\n`);
    return exitCodes.usage;
  }
  return { subject: { kind, id: kind === 'task' ? id.toLowerCase() : id }, files: command.args, json };
}

/** The forms of ids. Any id that a service or the gateway accepts from a caller may be the id of a request. */
const ids = {
  task: {
    pattern: /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i,
    form: 'the id of a task, such as 01a1fa18-4b82-7fe1-bc48-7791012fab82',
  },
  request: {
    pattern: /^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$/,
    form: 'the id of a request: up to 64 letters, digits and . _ : -',
  },
};

function logsIn(folders: readonly string[]): string[] {
  const files = folders.flatMap((folder) => {
    const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.log')) : [];
    return names.toSorted().map((name) => join(folder, name));
  });
  if (files.length === 0) throw new Error(`${folders.join(' and ')} have no logs; run npm start, or name the files.`);
  return files;
}

function nameOf(file: string): string {
  return basename(file).replace(/(\.previous)?\.log$/, '');
}

async function keep(stdin: Readable): Promise<string> {
  const path = join(mkdtempSync(join(tmpdir(), 'taskwire-logs-')), 'stdin');
  await pipeline(stdin, createWriteStream(path, { mode: 0o600 }));
  return path;
}

type Source = { name: string; path: string };
type Selected = { name: string; line: LogLine };

async function select(subject: Subject, sources: readonly Source[]): Promise<Selected[]> {
  for (const { path } of sources)
    if (statSync(path).isDirectory()) throw new Error(`${path} is a folder; name its files.`);
  const selection = createSelection(subject);
  for await (const { line } of linesOf(sources)) selection.note(line);
  const selected: Selected[] = [];
  for await (const one of linesOf(sources)) if (selection.has(one.line)) selected.push(one);
  // a line without a time stays behind the line before it
  let latest = 0;
  const timed = selected.map((one) => ({ one, at: (latest = Number.isNaN(one.line.at) ? latest : one.line.at) }));
  return timed.toSorted((a, b) => a.at - b.at).map(({ one }) => one);
}

async function* linesOf(sources: readonly Source[]): AsyncGenerator<Selected> {
  for (const { name, path } of sources) {
    const input = createReadStream(path, 'utf8');
    try {
      for await (const text of createInterface({ input, crlfDelay: Infinity })) {
        const line = readLogLine(text);
        if (line !== undefined) yield { name, line };
      }
    } finally {
      input.destroy();
    }
  }
}
