import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('./guard.sh', import.meta.url));

let guard: ChildProcess | undefined;
const held = new Map<string, string>();

// One small shell for the whole process holds the far end of a pipe. PR_SET_PDEATHSIG exists only on Linux; the end of a pipe works on macOS too, and
// cannot be missed, because the kernel closes the pipe however this process ends.
function tell(line: string): void {
  if (!guard) {
    const started = spawn('/bin/sh', [script], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
    guard = started;
    started.unref();
    const pipe = started.stdin as unknown as { unref?(): void };
    pipe.unref?.();
    started.stdin.on('error', () => undefined);
    // the guard was killed: a new one takes over what is still held
    started.once('exit', () => {
      guard = undefined;
      for (const again of held.values()) tell(again);
    });
  }
  guard.stdin?.write(`${line}\n`);
}

/** Ends the process group of `pid` with `signal`, and with KILL five seconds later, if this process ends without having done so. */
export function guardGroup(pid: number, signal: NodeJS.Signals): void {
  const line = `add ${pid} ${signal.slice(3)}`;
  held.set(`part ${pid}`, line);
  tell(line);
}

export function releaseGroup(pid: number): void {
  if (held.delete(`part ${pid}`)) tell(`remove ${pid}`);
}

/** Deletes the folder if this process ends without having done so. */
export function guardFolder(path: string): void {
  held.set(`dir ${path}`, `dir ${path}`);
  tell(`dir ${path}`);
}

export function releaseFolder(path: string): void {
  if (held.delete(`dir ${path}`)) tell(`keep ${path}`);
}
