import type { CallResult } from './call.ts';
import { pauseAfterEarlyResponse } from './wait.ts';

type WatchOptions = {
  /** How many seconds a request may wait for another representation. */
  wait: number;
  signal?: AbortSignal | undefined;
};

/**
 * Yields a resource, and then each newer representation until it has ended. Those in between may be skipped. Nothing is requested before the first
 * use, and each request follows the use of the previous value. `read` requests the representation; its value is undefined if the known one is current.
 */
export async function* watched<T>(
  read: (known: string | undefined) => Promise<CallResult<unknown>>,
  { wait, signal }: WatchOptions,
): AsyncGenerator<T, void, undefined> {
  let known: string | undefined;
  for (;;) {
    const sentAt = performance.now();
    const { value, etag } = await read(known);
    if (value === undefined) {
      await pauseAfterEarlyResponse(performance.now() - sentAt, wait, signal);
      continue;
    }
    yield value as T;
    if ((value as { settled_at?: unknown }).settled_at !== null) return;
    // without it, the next response would come at once, and so would all others
    if (etag === undefined) throw new Error('The response has no ETag, or the page may not read it.');
    known = etag;
  }
}
