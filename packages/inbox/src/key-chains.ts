/** Runs work of one key one after the other, in the order of the calls; work of different keys side by side. */
export type KeyChains = {
  /** @throws the signal's reason, without running, when it is aborted before its turn; and what `run` throws. */
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
