import type { Handoff } from './channel.ts';

/**
 * Separates attempts that certainly sent nothing from those that may have been delivered. Before the handoff, an attempt is aborted when the process
 * stops or after `limitMs`. Once the handoff has begun, nothing interrupts it, because only the response reveals the result.
 */
export function openHandoff(
  commitSending: () => Promise<boolean>,
  limitMs: number,
  stopping: AbortSignal,
): Handoff & { begun(): boolean; close(): void } {
  const controller = new AbortController();
  const abort = () => controller.abort();
  const timer = setTimeout(abort, limitMs);
  let begun = false;

  function close(): void {
    clearTimeout(timer);
    stopping.removeEventListener('abort', abort);
  }

  stopping.addEventListener('abort', abort, { once: true });
  if (stopping.aborted) abort();
  return {
    signal: controller.signal,
    async begin() {
      close();
      if (controller.signal.aborted) throw new Error('it was too late for the handoff');
      if (!(await commitSending()))
        throw new Error('the lease was lost: another worker has it, or a later notification took its place');
      begun = true;
    },
    begun: () => begun,
    close,
  };
}
