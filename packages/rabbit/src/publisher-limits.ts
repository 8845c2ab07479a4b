export type PublisherLimits = {
  /**
   * The maximum number of written and unconfirmed messages. RabbitMQ's quorum queues confirm in batches of their log: a few thousand keep it busy,
   * more would only wait in memory.
   */
  maxInFlight: number;
  /**
   * Above the largest event (64 KiB of payload) with its headers; far above RabbitMQ's frame size, and far below the size that would close the
   * channel.
   */
  maxBodyBytes: number;
  /** How long a message may wait to be written. */
  waitTimeoutMs: number;
  /** A broker that confirms nothing for this long has lost its quorum or hangs: the connection is re-established. */
  confirmTimeoutMs: number;
};

export const publisherLimits: PublisherLimits = {
  maxInFlight: 4_000,
  maxBodyBytes: 1_048_576,
  waitTimeoutMs: 30_000,
  confirmTimeoutMs: 30_000,
};
