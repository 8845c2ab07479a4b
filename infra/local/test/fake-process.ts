import type { Exit, ManagedProcess } from '@taskwire/process-supervisor';

/** A managed process that runs no program, and ends when asked to stop. */
export function fakeProcess(name: string, events: string[]): ManagedProcess & { die(): void } {
  let end: (exit: Exit) => void = () => undefined;
  const exited = new Promise<Exit>((resolve) => (end = resolve));
  const exit = { code: null, signal: 'SIGKILL' as const, lastLines: 'last words' };
  return {
    name,
    pid: 1,
    logFile: `${name}.log`,
    exited,
    stop() {
      events.push(`${name} stops`);
      end({ ...exit, expected: true });
      return Promise.resolve();
    },
    kill: () => end({ ...exit, expected: false }),
    die: () => end({ ...exit, expected: false }),
  };
}
