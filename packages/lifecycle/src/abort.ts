/**
 * Settles as the promise does, unless one of the signals is aborted first; in that case it rejects with the reason of that signal. The promise's work is
 * not stopped; its later result is ignored.
 */
export async function raceAbort<T>(promise: Promise<T>, ...signals: readonly (AbortSignal | undefined)[]): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  // the listeners are removed at the end, because some signals live as long as the process (AbortSignal.any would keep an entry for each call)
  const listeners = signals.flatMap((signal) =>
    signal === undefined ? [] : [{ signal, onAbort: () => aborted.reject(signal.reason) }],
  );
  for (const { signal, onAbort } of listeners) {
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort);
  }
  try {
    return await Promise.race([aborted.promise, promise]);
  } finally {
    for (const { signal, onAbort } of listeners) signal.removeEventListener('abort', onAbort);
  }
}

/** Rejects with the reason of the first signal that is aborted; never resolves. */
export async function untilAborted(...signals: readonly AbortSignal[]): Promise<never> {
  return await raceAbort(new Promise<never>(() => undefined), ...signals);
}
