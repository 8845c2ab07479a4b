import { describeEnd, type Part } from '@taskwire/process-supervisor';
import { errorText } from '@taskwire/errors';

export type SupervisedPart = {
  name: string;
  /** the id of the running process */
  pid(): number | undefined;
  logFile(): string | undefined;
  /** Resolves once the part accepts requests. @throws StartError */
  start(): Promise<void>;
  /** Stops the part, and aborts a start in progress; it stays stopped until start(). */
  stop(): Promise<void>;
  /** Resolves once the process has ended, by -9 unless another signal is given. `restarts` determines what happens then. */
  kill(signal?: NodeJS.Signals): Promise<void>;
};

/** `automatic`: a part that dies is restarted, with back-off. `manual`: it stays down until start(), which tests decide. */
export type Restarts = 'automatic' | 'manual';

export type PartNews =
  | { kind: 'died'; part: string; how: string; lastLines: string; logFile: string }
  | { kind: 'restarting'; part: string; inMs: number }
  | { kind: 'restarted'; part: string; tookMs: number }
  | { kind: 'failed'; part: string; reason: string };

const firstPauseMs = 500;
const longestPauseMs = 30_000;
// a part that ran this long is healthy; a later failure counts as a new fault
const healthyMs = 60_000;

/** Keeps one part running. Once it has started, nothing is thrown at the caller: later events go to `tell`. */
export function supervise(o: {
  name: string;
  start: (signal: AbortSignal) => Promise<Part>;
  restarts: Restarts;
  tell: (news: PartNews) => void;
}): SupervisedPart {
  let running: Part | undefined;
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
    const part = await o.start(signal);
    const since = performance.now();
    running = part;
    void part.died.then((death) => {
      running = undefined;
      if (performance.now() - since > healthyMs) pauseMs = firstPauseMs;
      if (!wanted || death.expected) return;
      o.tell({
        kind: 'died',
        part: o.name,
        how: describeEnd(death),
        lastLines: death.lastLines,
        logFile: part.logFile,
      });
      if (o.restarts === 'automatic') restartLater();
    });
  }

  function restartLater(): void {
    o.tell({ kind: 'restarting', part: o.name, inMs: pauseMs });
    timer = setTimeout(() => void restart(), pauseMs);
    pauseMs = Math.min(pauseMs * 2, longestPauseMs);
  }

  async function restart(): Promise<void> {
    if (!wanted) return;
    const began = performance.now();
    try {
      await start();
      o.tell({ kind: 'restarted', part: o.name, tookMs: performance.now() - began });
    } catch (error) {
      if (!wanted) return;
      o.tell({ kind: 'failed', part: o.name, reason: errorText(error) });
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
      const part = running;
      part?.kill(signal);
      await part?.died;
    },
  };
}
