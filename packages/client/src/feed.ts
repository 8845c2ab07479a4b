/** One page of a feed of changes. */
export type FeedPage = { next_token: string; more: boolean };

/**
 * A feed of changes. `await` gives one page. `for await` yields pages without an end, and waits for changes after the last one; `break` ends the requests.
 * Nothing is requested before that, and a page is requested only after the previous one was used: keep its `next_token` with the copy, and continue
 * there after a restart.
 */
export class Feed<P extends FeedPage> implements PromiseLike<P>, AsyncIterable<P> {
  readonly #read: (more: Readonly<Record<string, unknown>>) => PromiseLike<P>;
  readonly #wait: number;

  /** `read` requests a page, with further query parameters. `wait` is how many seconds a request waits for changes. */
  constructor(read: (more: Readonly<Record<string, unknown>>) => PromiseLike<P>, wait: number) {
    this.#read = read;
    this.#wait = wait;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<P, void, undefined> {
    let page = await this.#read({});
    for (;;) {
      yield page;
      const wait = page.more ? {} : { wait: this.#wait };
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
