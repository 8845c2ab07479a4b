import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readSync, renameSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { readableLine } from './readable-line.ts';

/** Starts each run with empty logs. The logs of the previous run are kept as `<name>.previous.log`. */
export function rotateLogs(dir: string): void {
  mkdirSync(dir, { recursive: true });
  for (const file of readdirSync(dir)) {
    if (!file.endsWith('.log') || file.endsWith('.previous.log')) continue;
    renameSync(join(dir, file), join(dir, file.replace(/\.log$/, '.previous.log')));
  }
}

// fast enough to watch, and cheap compared with the services' own work
const lookEveryMs = 200;

/** Writes new lines of the logs in a folder, in readable form, until the process ends. */
export function followLogs(dir: string, write: (line: string) => void): void {
  const read = new Map<string, { offset: number; rest: string }>();
  setInterval(() => {
    for (const file of readdirSync(dir)) {
      if (!file.endsWith('.log') || file.endsWith('.previous.log')) continue;
      const path = join(dir, file);
      if (!existsSync(path)) continue;
      const state = read.get(file) ?? { offset: 0, rest: '' };
      read.set(file, state);
      const text = state.rest + readFrom(path, state);
      const lines = text.split('\n');
      state.rest = lines.pop() ?? '';
      for (const line of lines) write(readableLine(basename(file, '.log'), line));
    }
  }, lookEveryMs).unref();
}

function readFrom(path: string, state: { offset: number }): string {
  const size = statSync(path).size;
  if (size <= state.offset) return '';
  const buffer = Buffer.alloc(size - state.offset);
  const fd = openSync(path, 'r');
  try {
    const count = readSync(fd, buffer, 0, buffer.length, state.offset);
    state.offset += count;
    return buffer.toString('utf8', 0, count);
  } finally {
    closeSync(fd);
  }
}
