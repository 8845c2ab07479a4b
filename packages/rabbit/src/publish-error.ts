/** Why a publish failed, as a stable code. */
export type PublishErrorCode =
  /** The broker refused the message, for example because a queue is full. The message is in no queue, or only in some of its queues. */
  | 'nacked'
  /** The channel was lost before the confirm, so the broker may or may not have the message. Publish it again with the same id. */
  | 'unknown'
  /**
   * The message was never written: there was no connection, the broker blocked, no capacity became free in time, the caller aborted, or the publisher
   * was stopped.
   */
  | 'not_sent'
  /** The message cannot be written: it is too large, or its headers cannot be encoded. Retrying does not help. */
  | 'invalid'
  /** A message with this id is already being published. */
  | 'in_flight';

/** The error with which `publish` rejects. */
export class PublishError extends Error {
  override readonly name = 'PublishError';
  readonly code: PublishErrorCode;

  constructor(code: PublishErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}
