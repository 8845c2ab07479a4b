/** Aborts on Ctrl-C and SIGTERM. */
export function interruptSignal(): { signal: AbortSignal; dispose(): void } {
  const stop = new AbortController();
  const interrupt = (): void => stop.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  return {
    signal: stop.signal,
    dispose: () => void process.off('SIGINT', interrupt).off('SIGTERM', interrupt),
  };
}
