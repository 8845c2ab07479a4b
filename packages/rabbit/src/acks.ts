import type { ConsumeMessage } from 'amqplib';
import type amqp from 'amqplib/callback_api';

/** Acks of one channel, gathered: messages that are settled in the same turn of the event loop, and in a row, share one frame. */
export type Acks = {
  ack(message: ConsumeMessage): void;
  /** Gives the message back to the queue. */
  requeue(message: ConsumeMessage): void;
  /** Sends what is gathered. */
  flush(): void;
};

/** For a channel with one consumer, on which delivery tags count up from 1. */
export function createAcks(channel: amqp.Channel): Acks {
  const gathered = new Map<number, ConsumeMessage>();
  /** Settled one by one, above the first one that is not settled. */
  const settled = new Set<number>();
  let next = 1;
  let scheduled = false;

  function flush(): void {
    scheduled = false;
    let last: ConsumeMessage | undefined;
    for (;;) {
      const message = gathered.get(next);
      if (message === undefined && !settled.delete(next)) break;
      gathered.delete(next);
      last = message ?? last;
      next += 1;
    }
    if (last !== undefined) channel.ack(last, true);
    for (const [tag, message] of gathered) {
      channel.ack(message);
      settled.add(tag);
    }
    gathered.clear();
  }

  return {
    flush,
    ack(message) {
      gathered.set(message.fields.deliveryTag, message);
      if (scheduled) return;
      scheduled = true;
      setImmediate(() => {
        try {
          if (scheduled) flush();
        } catch {
          // the channel closed a moment ago: what was not acked comes again
        }
      });
    },
    requeue(message) {
      settled.add(message.fields.deliveryTag);
      channel.nack(message, false, true);
    },
  };
}
