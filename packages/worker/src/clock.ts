/** A monotonic clock with timers, in milliseconds. */
export type Clock = {
  now(): number;
  /** Calls `run` after a time; returns a function that cancels the call. */
  after(ms: number, run: () => void): () => void;
};

/** The clock of the process. All its threads share it, whereas performance.now() starts in each thread. */
export const systemClock: Clock = {
  now: () => Number(process.hrtime.bigint()) / 1e6,
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};
