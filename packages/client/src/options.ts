/** Options of one call. */
export type CallOptions = {
  /** Aborts the call: its request, its body and its pauses. */
  signal?: AbortSignal;
  /** With its own key for each intent, a program can repeat a call after a restart. By default, each call has a random key. */
  idempotencyKey?: string;
  /** The version that the change is based on: an ETag, the `version` of the resource, or `*` for any. */
  ifMatch?: string | number;
  /** The limit for each attempt, including its body. A request that waits for changes waits five seconds less. */
  timeoutMs?: number;
  maxRetries?: number;
};

/** Options of a change that requires the version that it is based on. */
export type VersionedOptions = CallOptions & { ifMatch: string | number };
