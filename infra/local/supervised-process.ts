import { describeExit, type ManagedProcess } from '@taskwire/process-supervisor';
import { errorText } from '@taskwire/errors';

export type SupervisedProcess = {
  name: string;
  /** The id of the running process. */
  pid(): number | undefined;
  logFile(): string | undefined;
  /** Resolves once the process accepts requests. @throws StartError */
  start(): Promise<void>;
  /** Stops the process, and aborts a start in progress; it stays stopped until start(). */
  stop(): Promise<void>;
  /** Kills the process, with -9 unless another signal is given, and resolves once it has ended. `restarts` determines what happens next. */
  kill(signal?: NodeJS.Signals): Promise<void>;
};

/** `automatic`: a process that exits unexpectedly is restarted, with back-off. `manual`: it stays down until a test calls start(). */
export type Restarts = 'automatic' | 'manual';

export type ProcessEvent =
  | { kind: 'exited'; process: string; how: string; lastLines: string; logFile: string }
  | { kind: 'restarting'; process: string; inMs: number }
  | { kind: 'restarted'; process: string; tookMs: number }
  | { kind: 'failed'; process: string; reason: string };

const firstPauseMs = 500;
const maxPauseMs = 30_000;
// a process that has run for this long is considered healthy; a later failure counts as a new fault
const healthyMs = 60_000;

/** Keeps one process running. After the start, nothing is thrown to the caller; later events are passed to `onEvent`. */
export function supervise(o: {
  name: string;
  start: (signal: AbortSignal) => Promise<ManagedProcess>;
  restarts: Restarts;
  onEvent: (event: ProcessEvent) => void;
}): SupervisedProcess {
  let running: ManagedProcess | undefined;
  let wanted = false;
  let pauseMs = firstPauseMs;
  let timer: NodeJS.Timeout | undefined;
  let attempt = { interrupt: new AbortController(), over: Promise.resolve() };

  function start(): Promise<void> {
    wanted = true;
    const interrupt = new AbortController();
    attempt = { interrupt, over: run(interrupt.signal) };
    return attempt.over;
  }

  async function run(signal: AbortSignal): Promise<void> {
    const child = await o.start(signal);
    const since = performance.now();
    running = child;
    void child.exited.then((exit) => {
      running = undefined;
      if (performance.now() - since > healthyMs) pauseMs = firstPauseMs;
      if (!wanted || exit.expected) return;
      o.onEvent({
        kind: 'exited',
        process: o.name,
        how: describeExit(exit),
        lastLines: exit.lastLines,
        logFile: child.logFile,
      });
      if (o.restarts === 'automatic') restartLater();
    });
  }

  function restartLater(): void {
    o.onEvent({ kind: 'restarting', process: o.name, inMs: pauseMs });
    timer = setTimeout(() => void restart(), pauseMs);
    pauseMs = Math.min(pauseMs * 2, maxPauseMs);
  }

  async function restart(): Promise<void> {
    if (!wanted) return;
    const began = performance.now();
    try {
      await start();
      o.onEvent({ kind: 'restarted', process: o.name, tookMs: performance.now() - began });
    } catch (error) {
      if (!wanted) return;
      o.onEvent({ kind: 'failed', process: o.name, reason: errorText(error) });
      restartLater();
    }
  }

  return {
    name: o.name,
    pid: () => running?.pid,
    logFile: () => running?.logFile,
    start,
    async stop() {
      wanted = false;
      clearTimeout(timer);
      attempt.interrupt.abort();
      await attempt.over.catch(() => undefined);
      await running?.stop();
    },
    async kill(signal) {
      const child = running;
      child?.kill(signal);
      await child?.exited;
    },
  };
}
