import type { IdempotentRequest } from '../ports.ts';

/**
 * The stored result of an operation. `status` is undefined for a success; `text` is the body of the response as JSON, or empty. `isHidden`: it shows
 * something that the caller may no longer read.
 */
export type StoredResult = {
  status: number | undefined;
  version: number | undefined;
  text: string;
  isHidden: boolean;
};

/** The stored results of the operations of bulk requests. */
export type BulkResults = {
  /**
   * Claims the key of a bulk request with `count` operations, or returns the results of the operations that were carried out under this key, by
   * index.
   * @throws Problem `idempotency_key_reused` for a different request under the same key.
   */
  begin(request: IdempotentRequest, count: number): Promise<ReadonlyMap<number, StoredResult>>;
  /** Stores the refusal of an operation, unless a result is already stored. Returns the stored result. */
  refuse(request: IdempotentRequest, index: number, refusal: Refusal): Promise<StoredResult>;
};

/** A problem as JSON. */
export type Refusal = { status: number; text: string };

/** The request for one operation of a bulk request. Its key contains a line break, so no caller can send it. */
export function requestOf(request: IdempotentRequest, index: number): IdempotentRequest {
  return { ...request, key: `${request.key}\n${index}` };
}

/** Another process that carries out the same bulk request has already stored a refusal of this operation. */
export class RefusedEarlier extends Error {
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(`the operation was refused with status ${refusal.status}`);
    this.refusal = refusal;
  }
}
