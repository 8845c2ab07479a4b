export type PublisherLimits = {
  /**
   * The maximum number of written and unconfirmed messages. RabbitMQ's quorum queues confirm in batches of their log: a few thousand messages keep a
   * queue busy, and more would only wait in memory.
   */
  maxInFlight: number;
  /**
   * Larger than the largest event (64 KiB of payload) with its headers, and far below the size at which the broker would close the channel. It is
   * also far above RabbitMQ's frame size, so large messages are split into frames.
   */
  maxBodyBytes: number;
  /** How long a message may wait to be written. */
  waitTimeoutMs: number;
  /** A broker that confirms nothing for this long has lost its quorum or has hung: the connection is re-established. */
  confirmTimeoutMs: number;
};

export const publisherLimits: PublisherLimits = {
  maxInFlight: 4_000,
  maxBodyBytes: 1_048_576,
  waitTimeoutMs: 30_000,
  confirmTimeoutMs: 30_000,
};
