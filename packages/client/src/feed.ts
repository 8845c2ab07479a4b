import { longestWait } from './watch.ts';

/** One page of a feed of changes. */
export type FeedPage = { next_token: string; more: boolean };

/**
 * A feed of changes. `await` gives one page. `for await` yields pages without an end, and waits for changes after the last one; `break` ends the requests.
 * Nothing is requested before that, and a page is requested only after the previous one was used: keep its `next_token` with the copy, and continue
 * there after a restart.
 */
export class Feed<P extends FeedPage> implements PromiseLike<P>, AsyncIterable<P> {
  readonly #read: (more: Readonly<Record<string, unknown>>) => PromiseLike<P>;

  /** `read` requests a page, with further query parameters. */
  constructor(read: (more: Readonly<Record<string, unknown>>) => PromiseLike<P>) {
    this.#read = read;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<P, void, undefined> {
    let page = await this.#read({});
    for (;;) {
      yield page;
      const wait = page.more ? {} : { wait: longestWait };
      page = await this.#read({ token: page.next_token, ...wait });
    }
  }

  then<A = P, B = never>(
    fulfilled?: ((page: P) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): PromiseLike<A | B> {
    return this.#read({}).then(fulfilled, rejected);
  }
}
