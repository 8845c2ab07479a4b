import type { Death, Part } from '@taskwire/process-supervisor';

/** A part without a process: ends when asked to stop. */
export function fakePart(name: string, events: string[]): Part & { die(): void } {
  let end: (death: Death) => void = () => undefined;
  const died = new Promise<Death>((resolve) => (end = resolve));
  const death = { code: null, signal: 'SIGKILL' as const, lastLines: 'last words' };
  return {
    name,
    pid: 1,
    logFile: `${name}.log`,
    died,
    stop() {
      events.push(`${name} stops`);
      end({ ...death, expected: true });
      return Promise.resolve();
    },
    kill: () => end({ ...death, expected: false }),
    die: () => end({ ...death, expected: false }),
  };
}
