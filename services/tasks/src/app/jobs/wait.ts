/** A wait that others can end. A wake-up that comes before the wait ends it at once. */
export type Wait = {
  wake(): void;
  /** Whether it was woken since its last end. */
  isWoken(): boolean;
  /** Whether it is under way. */
  isWaiting(): boolean;
  /** Resolves after a wake-up since the last call, when the caller hangs up, or after `ms`. */
  next(ms: number, hangUp: AbortSignal): Promise<void>;
};

export function createWait(): Wait {
  let isWoken = false;
  let end: (() => void) | undefined;
  return {
    wake() {
      isWoken = true;
      end?.();
    },
    isWoken: () => isWoken,
    isWaiting: () => end !== undefined,
    async next(ms, hangUp) {
      if (!isWoken && !hangUp.aborted && ms > 0) {
        const { promise, resolve } = Promise.withResolvers<void>();
        const timer = setTimeout(resolve, ms);
        const hungUp = () => resolve();
        hangUp.addEventListener('abort', hungUp, { once: true });
        end = resolve;
        await promise;
        clearTimeout(timer);
        hangUp.removeEventListener('abort', hungUp);
        end = undefined;
      }
      isWoken = false;
    },
  };
}
