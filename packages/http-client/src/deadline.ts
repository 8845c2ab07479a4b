import { setTimeout as delay } from 'node:timers/promises';

/** The time limit of one call, combined with its caller's signal. */
export type Deadline = {
  /** Aborted when the time limit passes (with a TimeoutError as the reason) or the caller cancels (with the caller's reason). */
  signal: AbortSignal;
  remainingMs(): number;
  /** Whether the time limit passed, rather than the caller cancelling the call; a caller's own `AbortSignal.timeout` counts as a time limit. */
  timedOut(): boolean;
  /** Resolves after `ms`. @throws the signal's reason if it is aborted earlier. */
  pause(ms: number): Promise<void>;
  /** Releases the timer and the listener on the caller's signal. */
  release(): void;
};

/**
 * Creates a separate signal for each call. (`AbortSignal.any` would work, but keeps every call registered with a signal that lives as long as the
 * process, such as a loop's.)
 */
export function startDeadline(timeoutMs: number, caller: AbortSignal | undefined): Deadline {
  const controller = new AbortController();
  const { signal } = controller;
  const endsAt = performance.now() + timeoutMs;
  const timeUp = () => controller.abort(new DOMException('The call exceeded its time limit', 'TimeoutError'));
  const cancel = () => controller.abort(caller?.reason);
  const timer = setTimeout(timeUp, timeoutMs);
  if (caller?.aborted === true) cancel();
  caller?.addEventListener('abort', cancel, { once: true });
  return {
    signal,
    remainingMs: () => Math.max(0, endsAt - performance.now()),
    timedOut: () => signal.aborted && signal.reason instanceof DOMException && signal.reason.name === 'TimeoutError',
    // `delay` itself would reject with an AbortError
    pause: async (ms) => await delay(ms, undefined, { signal }).catch(() => signal.throwIfAborted()),
    release() {
      clearTimeout(timer);
      caller?.removeEventListener('abort', cancel);
    },
  };
}
