/** One page of a list. */
export type Page<T> = { data: T[]; next_cursor: string | null };

/**
 * A list of the API. `for await` yields all items, `pages()` all pages, and `await` the first page. Nothing is requested before that, and a page
 * is requested only after the previous one was used, so `break` ends the requests.
 */
export class List<T> implements PromiseLike<Page<T>>, AsyncIterable<T> {
  readonly #read: (cursor: string | undefined) => PromiseLike<Page<T>>;

  constructor(read: (cursor: string | undefined) => PromiseLike<Page<T>>) {
    this.#read = read;
  }

  async *pages(): AsyncGenerator<Page<T>, void, undefined> {
    let cursor: string | undefined;
    do {
      const page = await this.#read(cursor);
      yield page;
      // an empty page need not be the last one: a filter may leave no items on it
      cursor = page.next_cursor ?? undefined;
    } while (cursor !== undefined);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for await (const { data } of this.pages()) yield* data;
  }

  then<A = Page<T>, B = never>(
    fulfilled?: ((page: Page<T>) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): PromiseLike<A | B> {
    return this.#read(undefined).then(fulfilled, rejected);
  }
}
