import { raced } from './abort.ts';
import type { Answer } from './answer.ts';

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export type Request = { method: string; url: string; headers: Record<string, string>; body?: string | undefined };

/** An attempt that got no complete response; `cause` is the reason. */
export class LostAnswer extends Error {
  readonly isTimeout: boolean;

  constructor(message: string, o: { cause?: unknown; isTimeout: boolean }) {
    super(message, { cause: o.cause });
    this.isTimeout = o.isTimeout;
  }
}

/**
 * Chromium accepts and caches a response whose headers were cut off. A repetition with its ETag gets 304, and so the same fragment again; therefore
 * the cache is bypassed. Workers that lack this option of fetch throw if it is set; they have no such cache.
 */
const uncached: Pick<RequestInit, 'cache'> = 'cache' in Request.prototype ? { cache: 'no-store' } : {};

/**
 * Sends a request once and reads the whole response within `timeoutMs`.
 *
 * @throws LostAnswer if there is no complete response, or the signal's reason if it is aborted.
 */
export async function attempt(
  fetch: Fetch,
  request: Request,
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal | undefined },
): Promise<Answer> {
  signal?.throwIfAborted();
  // browsers of 2023 lack AbortSignal.any and AbortSignal.timeout, and a listener would remain on a long-lived signal
  const control = new AbortController();
  let isTimeout = false;
  const abort = () => control.abort(signal?.reason);
  const timer = setTimeout(() => {
    isTimeout = true;
    control.abort(new Error(`no complete response within ${timeoutMs} ms`));
  }, timeoutMs);
  signal?.addEventListener('abort', abort, { once: true });
  try {
    const { method, headers, body } = request;
    return await raced(
      readWhole(
        // the API never redirects, and following a redirect would turn a POST into a GET
        fetch(request.url, {
          method,
          headers,
          redirect: 'manual',
          ...uncached,
          signal: control.signal,
          ...(body === undefined ? {} : { body }),
        }),
      ),
      control.signal,
    );
  } catch (cause) {
    if (signal?.aborted === true) throw signal.reason;
    throw new LostAnswer(isTimeout ? `no complete response within ${timeoutMs} ms` : 'no complete response', {
      cause,
      isTimeout,
    });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}

async function readWhole(responding: Promise<Response>): Promise<Answer> {
  const response = await responding;
  return { status: response.status, headers: response.headers, text: await response.text() };
}
