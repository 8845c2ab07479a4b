import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { reapGroupIfOrphaned, releaseGroup } from './orphan-reaper.ts';
import { lastLines } from './log-tail.ts';

export type Exit = {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** Whether `stop` was called before the exit. */
  expected: boolean;
  lastLines: string;
};

/** A running child process in its own process group, so that Ctrl-C in the terminal reaches only the launcher. */
export type ManagedProcess = {
  name: string;
  pid: number;
  logFile: string;
  /** Resolves, never rejects, once the process has ended. */
  exited: Promise<Exit>;
  /**
   * Sends the stop signal, kills the process after the stop timeout, and resolves once the process and its group have ended. May be called more than
   * once.
   */
  stop(): Promise<void>;
  /** Kills the process (not its whole group) at once, like `kill -9`; `exited` resolves when it has ended. */
  kill(signal?: NodeJS.Signals): void;
};

export type ProcessOptions = {
  name: string;
  command: string;
  args: string[];
  /** The complete environment of the child; nothing else is inherited. See `inheritedEnv`. */
  env: NodeJS.ProcessEnv;
  logFile: string;
  cwd?: string;
  uid?: number;
  gid?: number;
  stopSignal?: NodeJS.Signals;
  /** The time between the stop signal and KILL, in milliseconds. */
  stopTimeoutMs?: number;
  /** Whether the process accepts requests; an error counts as false. */
  ready: () => Promise<boolean>;
  readyTimeoutMs: number;
  /** Aborts the start; has no effect once the process is ready. */
  signal?: AbortSignal;
};

/** A process could not be started; the message contains the reason and the last lines of the process's log. */
export class StartError extends Error {
  override name = 'StartError';
}

const inheritedNames =
  /^(PATH|HOME|USER|LOGNAME|SHELL|TMPDIR|TZ|LANG|LC_.*|NODE_OPTIONS|NODE_EXTRA_CA_CERTS|NODE_COMPILE_CACHE|OTEL_.*)$/;

/**
 * The variables of this process's environment that a child may see: the locations of programs and the home folder, locale and Node's own settings; no secrets.
 */
export function inheritedEnv(source: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(source).filter(([name]) => inheritedNames.test(name)));
}

/**
 * Starts a process, appends its output to `logFile` and waits until it is ready.
 * @throws StartError if it ends or is not ready within `readyTimeoutMs`; then no process is left running.
 */
export async function startProcess(o: ProcessOptions): Promise<ManagedProcess> {
  const child = await spawnProcess(o);
  const deadline = performance.now() + o.readyTimeoutMs;
  let exit: Exit | undefined;
  void child.exited.then((found) => (exit = found));
  while (!(await unlessAborted(o.ready(), o.signal))) {
    if (o.signal?.aborted) {
      await child.stop();
      throw new StartError(`The start of ${o.name} was interrupted.`);
    }
    if (exit) throw startError(o, `ended ${describeExit(exit)} before it was ready`);
    if (performance.now() > deadline) {
      await child.stop();
      throw startError(o, `was not ready within ${Math.round(o.readyTimeoutMs / 1000)} s`);
    }
    await Promise.race([delay(50), child.exited]);
  }
  // another program on the same port can respond to the probe although this process has already exited
  await Promise.race([child.exited, delay(0)]);
  if (exit) throw startError(o, `ended ${describeExit(exit)} while starting`);
  return child;
}

/** The result of a probe, or false once the start is aborted, because a starting server may not respond to a probe for a long time. */
async function unlessAborted(probe: Promise<boolean>, signal: AbortSignal | undefined): Promise<boolean> {
  const answer = probe.catch(() => false);
  if (signal === undefined) return answer;
  if (signal.aborted) return false;
  return new Promise((resolve) => {
    const onAbort = () => resolve(false);
    signal.addEventListener('abort', onAbort, { once: true });
    void answer.then(resolve).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/**
 * Runs a program to its end.
 * @throws StartError if it does not end with code 0 within `timeoutMs`.
 */
export async function runToEnd(
  o: Omit<ProcessOptions, 'ready' | 'readyTimeoutMs'> & { timeoutMs: number },
): Promise<void> {
  const child = await spawnProcess(o);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    void child.stop();
  }, o.timeoutMs);
  const stop = () => void child.stop();
  o.signal?.addEventListener('abort', stop);
  const exit = await child.exited;
  o.signal?.removeEventListener('abort', stop);
  clearTimeout(timer);
  if (o.signal?.aborted) throw new StartError(`${o.name} was interrupted.`);
  if (late) throw startError(o, `took longer than ${Math.round(o.timeoutMs / 1000)} s`);
  if (exit.code !== 0) throw startError(o, `ended ${describeExit(exit)}`);
}

const alive = new Set<ManagedProcess>();

/** Kills every process that this one has started, with its group; resolves once they have ended. */
export async function killAllProcesses(): Promise<void> {
  await Promise.all(
    [...alive].map((child) => {
      signalGroup(child.pid, 'SIGKILL');
      return child.exited;
    }),
  );
}

async function spawnProcess(o: Omit<ProcessOptions, 'ready' | 'readyTimeoutMs'>): Promise<ManagedProcess> {
  if (o.signal?.aborted) throw new StartError(`The start of ${o.name} was interrupted.`);
  mkdirSync(dirname(o.logFile), { recursive: true });
  const log = openSync(o.logFile, 'a', 0o600);
  const { stopSignal = 'SIGTERM', stopTimeoutMs = 8000 } = o;
  // the child writes directly to the file, so that its output survives a kill of this process
  const spawned = spawn(o.command, o.args, {
    env: o.env,
    stdio: ['ignore', log, log],
    detached: true,
    ...(o.cwd !== undefined && { cwd: o.cwd }),
    ...(o.uid !== undefined && { uid: o.uid }),
    ...(o.gid !== undefined && { gid: o.gid }),
  });
  closeSync(log);
  const { pid } = spawned;
  if (pid === undefined) {
    const reason = await new Promise<Error>((resolve) => spawned.once('error', resolve));
    throw startError(o, `could not be run: ${reason.message}`);
  }
  reapGroupIfOrphaned(pid, stopSignal);
  spawned.on('error', () => undefined);

  let stopping: Promise<void> | undefined;
  const exited = new Promise<Exit>((resolve) => {
    spawned.once('exit', (code, signal) => {
      // processes left in its group (nginx workers, for example) are killed with it
      signalGroup(pid, 'SIGKILL');
      releaseGroup(pid);
      resolve({ code, signal, expected: stopping !== undefined, lastLines: lastLines(o.logFile) });
    });
  });
  const end = async (): Promise<void> => {
    spawned.kill(stopSignal);
    const timer = setTimeout(() => signalGroup(pid, 'SIGKILL'), stopTimeoutMs);
    await exited;
    clearTimeout(timer);
  };
  const managed: ManagedProcess = {
    name: o.name,
    pid,
    logFile: o.logFile,
    exited,
    stop: () => (stopping ??= end()),
    kill: (signal = 'SIGKILL') => void spawned.kill(signal),
  };
  alive.add(managed);
  void exited.then(() => alive.delete(managed));
  return managed;
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // ESRCH: nothing is left of the group
  }
}

/** `with exit code 1` or `by SIGKILL`. */
export function describeExit(exit: Pick<Exit, 'code' | 'signal'>): string {
  return exit.signal ? `by ${exit.signal}` : `with exit code ${exit.code}`;
}

function startError(o: Pick<ProcessOptions, 'name' | 'logFile'>, reason: string): StartError {
  const lines = lastLines(o.logFile);
  const introduction = lines === '' ? 'Its log is empty' : `The last lines of its log`;
  return new StartError(
    `${o.name} ${reason}. ${introduction} (${o.logFile})${lines && `:\n${lines.replace(/^/gm, '  | ')}`}`,
  );
}
