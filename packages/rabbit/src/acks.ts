import type { ConsumeMessage } from 'amqplib';
import type amqp from 'amqplib/callback_api';

/**
 * The acknowledgements of one channel, batched: consecutive messages that are settled within `gatherMs` share one frame. A message is acknowledged at
 * once if no other message is being handled.
 */
export type Acks = {
  ack(message: ConsumeMessage): void;
  /** Returns the message to the queue. */
  requeue(message: ConsumeMessage): void;
  /** Sends the batched acknowledgements. */
  flush(): void;
};

/**
 * How long an acknowledgement may wait for others while other messages are being handled, in milliseconds. A kill in this time costs a redelivery,
 * which the inbox recognises.
 */
const gatherMs = 5;

/**
 * The channel must have a single consumer, so that its delivery tags count up from 1. `handling` returns the number of messages that are being handled,
 * including the one that is being acknowledged.
 */
export function createAcks(channel: amqp.Channel, handling: () => number): Acks {
  const gathered = new Map<number, ConsumeMessage>();
  /** Tags settled individually, above the first tag that is not settled. */
  const settled = new Set<number>();
  let next = 1;
  let timer: NodeJS.Timeout | undefined;
  let scheduled = false;

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
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

  function flushScheduled(): void {
    try {
      if (gathered.size > 0) flush();
    } catch {
      // the channel has just closed: unacknowledged messages will be redelivered
    }
  }

  return {
    flush,
    ack(message) {
      gathered.set(message.fields.deliveryTag, message);
      if (handling() > 1) timer ??= setTimeout(flushScheduled, gatherMs);
      else if (!scheduled) {
        scheduled = true;
        setImmediate(flushScheduled);
      }
    },
    requeue(message) {
      settled.add(message.fields.deliveryTag);
      channel.nack(message, false, true);
    },
  };
}
