/** Why a publish failed, for programs. */
export type PublishErrorCode =
  /** The broker refused it, for example because a queue is full. It is in no queue, or not in all. */
  | 'nacked'
  /** The channel was lost before the confirm: the broker has it or not. Publish it again with the same id. */
  | 'unknown'
  /** It was never written: no connection, a blocked broker or no room in time, given up, or stopped. */
  | 'not_sent'
  /** It cannot be written at all: too large, or headers that cannot be encoded. Trying again will not help. */
  | 'invalid'
  /** This id is under way already. */
  | 'in_flight';

/** What `publish` rejects with. */
export class PublishError extends Error {
  override readonly name = 'PublishError';
  readonly code: PublishErrorCode;

  constructor(code: PublishErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}
