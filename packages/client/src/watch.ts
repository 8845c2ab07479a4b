import type { CallResult } from './call.ts';

/**
 * Yields a resource, and then each newer representation until it has ended. Those in between may be skipped. Nothing is requested before the first
 * use, and each request follows the use of the previous value. `read` requests the representation; its value is undefined if the known one is current.
 */
export async function* watched<T>(
  read: (known: string | undefined) => Promise<CallResult<unknown>>,
): AsyncGenerator<T, void, undefined> {
  let known: string | undefined;
  for (;;) {
    const { value, etag } = await read(known);
    if (value === undefined) continue;
    yield value as T;
    if ((value as { settled_at?: unknown }).settled_at !== null) return;
    // without it, the next response would come at once, and so would all others
    if (etag === undefined) throw new Error('The response has no ETag, or the page may not read it.');
    known = etag;
  }
}
