/** Runs work with the same key sequentially, in call order, and work with different keys concurrently. */
export type KeyChains = {
  /** @throws the signal's reason, without running, if it is aborted before its turn; or the error of `run`. */
  after(key: string, run: () => Promise<void>, signal: AbortSignal): Promise<void>;
};

export function createKeyChains(): KeyChains {
  const tails = new Map<string, Promise<void>>();
  return {
    async after(key, run, signal) {
      const before = tails.get(key);
      const mine = (async () => {
        await before;
        signal.throwIfAborted();
        await run();
      })();
      const tail = mine.catch(() => undefined);
      tails.set(key, tail);
      try {
        await mine;
      } finally {
        if (tails.get(key) === tail) tails.delete(key);
      }
    },
  };
}
