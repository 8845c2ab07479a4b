import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('./orphan-reaper.sh', import.meta.url));

let reaper: ChildProcess | undefined;
const registered = new Map<string, string>();

// One small shell for the whole process holds the far end of a pipe. PR_SET_PDEATHSIG exists only on Linux; the end of a pipe works on macOS too, and
// is always noticed, because the kernel closes the pipe however this process ends.
function send(line: string): void {
  if (!reaper) {
    const started = spawn('/bin/sh', [script], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
    reaper = started;
    started.unref();
    const pipe = started.stdin as unknown as { unref?(): void };
    pipe.unref?.();
    started.stdin.on('error', () => undefined);
    // the reaper was killed: a new one takes over everything that is still registered
    started.once('exit', () => {
      reaper = undefined;
      for (const entry of registered.values()) send(entry);
    });
  }
  reaper.stdin?.write(`${line}\n`);
}

/** Ends the process group of `pid` with `signal`, and with KILL five seconds later, if this process ends without having done so. */
export function reapGroupIfOrphaned(pid: number, signal: NodeJS.Signals): void {
  const line = `add ${pid} ${signal.slice(3)}`;
  registered.set(`group ${pid}`, line);
  send(line);
}

export function releaseGroup(pid: number): void {
  if (registered.delete(`group ${pid}`)) send(`remove ${pid}`);
}

/** Deletes the folder if this process ends without having done so. */
export function reapFolderIfOrphaned(path: string): void {
  registered.set(`dir ${path}`, `dir ${path}`);
  send(`dir ${path}`);
}

export function releaseFolder(path: string): void {
  if (registered.delete(`dir ${path}`)) send(`keep ${path}`);
}
