import { pauseAfterEarlyResponse } from './wait.ts';

/** One page of a feed of changes. */
export type FeedPage = { data: readonly unknown[]; projects?: readonly unknown[]; next_token: string; more: boolean };

type FeedOptions = {
  /** How many seconds a request waits for changes. */
  wait: number;
  signal?: AbortSignal | undefined;
};

/**
 * A feed of changes. `await` gives one page. `for await` yields pages without an end, and waits for changes after the last one; `break` ends the requests.
 * Nothing is requested before that, and a page is requested only after the previous one was used: keep its `next_token` with the copy, and continue
 * there after a restart.
 */
export class Feed<P extends FeedPage> implements PromiseLike<P>, AsyncIterable<P> {
  readonly #read: (more: Readonly<Record<string, unknown>>) => PromiseLike<P>;
  readonly #options: FeedOptions;

  /** `read` requests a page, with further query parameters. */
  constructor(read: (more: Readonly<Record<string, unknown>>) => PromiseLike<P>, options: FeedOptions) {
    this.#read = read;
    this.#options = options;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<P, void, undefined> {
    const { wait, signal } = this.#options;
    let page = await this.#read({});
    for (;;) {
      yield page;
      const { next_token: token, more } = page;
      const sentAt = performance.now();
      page = await this.#read(more ? { token } : { token, wait });
      if (!more && !hasChange(page)) await pauseAfterEarlyResponse(performance.now() - sentAt, wait, signal);
    }
  }

  then<A = P, B = never>(
    fulfilled?: ((page: P) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): PromiseLike<A | B> {
    return this.#read({}).then(fulfilled, rejected);
  }
}

function hasChange({ data, projects = [], more }: FeedPage): boolean {
  return more || data.length > 0 || projects.length > 0;
}
