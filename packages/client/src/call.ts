/** The result of a call, with facts about the call. */
export type CallResult<T> = {
  value: T;
  etag: string | undefined;
  /** The id in the logs of the services. */
  requestId: string | undefined;
  attempts: number;
  /** Whether this is the saved response to an earlier request with the same Idempotency-Key. */
  replayed: boolean;
};

/** A value in a response. Its enums are open: a later version of Taskwire may send other values. */
export type Opened<T> = T extends string
  ? string extends T
    ? T
    : T | (string & {})
  : T extends readonly (infer Item)[]
    ? Opened<Item>[]
    : T extends object
      ? { [Key in keyof T]: Opened<T[Key]> }
      : T;

/** A call in progress: a promise of its value. */
export class Call<T> implements PromiseLike<T> {
  readonly #result: Promise<CallResult<T>>;

  constructor(result: Promise<CallResult<T>>) {
    this.#result = result;
  }

  /** The value with its ETag, the request id, the number of attempts, and whether it is a replay. */
  withResponse(): Promise<CallResult<T>> {
    return this.#result;
  }

  then<A = T, B = never>(
    fulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#result.then(({ value }) => value).then(fulfilled, rejected);
  }

  catch<B = never>(rejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<T | B> {
    return this.then(undefined, rejected);
  }

  finally(done?: (() => void) | null): Promise<T> {
    return this.then().finally(done);
  }
}
