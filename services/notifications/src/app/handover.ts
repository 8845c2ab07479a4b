import type { Handover } from './channel.ts';

/**
 * The line between "nothing left the house" and "it may have arrived". Before it, an attempt is aborted when the process stops or `limitMs` is
 * over; from the moment it begins, nothing interrupts it any more, because only its answer tells what happened.
 */
export function openHandover(
  commitSending: () => Promise<boolean>,
  limitMs: number,
  stopping: AbortSignal,
): Handover & { begun(): boolean; close(): void } {
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
      if (controller.signal.aborted) throw new Error('it was too late to hand it over');
      if (!(await commitSending()))
        throw new Error('the claim was lost: another worker has it, or a later notification took its place');
      begun = true;
    },
    begun: () => begun,
    close,
  };
}
