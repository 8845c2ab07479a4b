import type { ConsumeMessage } from 'amqplib';
import type amqp from 'amqplib/callback_api';

/** The acknowledgements of one channel, batched: consecutive messages that are settled in the same turn of the event loop share one frame. */
export type Acks = {
  ack(message: ConsumeMessage): void;
  /** Returns the message to the queue. */
  requeue(message: ConsumeMessage): void;
  /** Sends the batched acknowledgements. */
  flush(): void;
};

/** The channel must have a single consumer, so that its delivery tags count up from 1. */
export function createAcks(channel: amqp.Channel): Acks {
  const gathered = new Map<number, ConsumeMessage>();
  /** Tags settled individually, above the first tag that is not settled. */
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
          // the channel has just closed: unacknowledged messages will be redelivered
        }
      });
    },
    requeue(message) {
      settled.add(message.fields.deliveryTag);
      channel.nack(message, false, true);
    },
  };
}
