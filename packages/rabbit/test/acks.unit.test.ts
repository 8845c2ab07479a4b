import { expect } from 'chai';
import type { ConsumeMessage } from 'amqplib';
import type amqp from 'amqplib/callback_api';
import fc from 'fast-check';
import { waitFor } from '@taskwire/testing';
import { createAcks } from '../src/acks.ts';

/** A broker's view of a channel: which tags are settled. */
function channelOf(count: number) {
  const unsettled = new Set(Array.from({ length: count }, (_, i) => i + 1));
  let frames = 0;
  const settle = (message: { fields: { deliveryTag: number } }, allUpTo = false): void => {
    const { deliveryTag } = message.fields;
    frames += 1;
    // RabbitMQ closes the channel for a tag that is unknown or already settled
    if (!unsettled.has(deliveryTag)) throw new Error(`406: unknown delivery tag ${deliveryTag}`);
    for (const tag of [...unsettled]) if (tag === deliveryTag || (allUpTo && tag < deliveryTag)) unsettled.delete(tag);
  };
  const channel = { ack: settle, nack: settle } as unknown as amqp.Channel;
  return { channel, unsettled, frames: () => frames };
}

const message = (deliveryTag: number): ConsumeMessage => ({ fields: { deliveryTag } }) as ConsumeMessage;

describe('acks', () => {
  it('acknowledge and requeue exactly the given messages, in any order and grouping', () => {
    const count = 12;
    const step = fc.record({ how: fc.constantFrom('ack', 'requeue'), flush: fc.boolean() });
    const order = fc.shuffledSubarray(
      Array.from({ length: count }, (_, i) => i + 1),
      { minLength: 1 },
    );
    fc.assert(
      fc.property(order, fc.infiniteStream(step), (tags, steps) => {
        const { channel, unsettled } = channelOf(count);
        const acks = createAcks(channel, () => 1);
        for (const tag of tags) {
          const { how, flush } = steps.next().value;
          if (how === 'ack') acks.ack(message(tag));
          else acks.requeue(message(tag));
          if (flush) acks.flush();
        }
        acks.flush();
        expect([...unsettled].filter((tag) => tags.includes(tag))).to.deep.equal([]);
        expect(unsettled.size).to.equal(count - tags.length);
      }),
    );
  });

  it('share a frame when they are consecutive', () => {
    const { channel, frames } = channelOf(50);
    const acks = createAcks(channel, () => 1);
    for (let tag = 1; tag <= 50; tag++) acks.ack(message(tag));
    acks.flush();
    expect(frames()).to.equal(1);
  });

  it('wait for others while other messages are being handled, and not otherwise', async () => {
    const { channel, frames } = channelOf(1_000);
    let handling = 2;
    let tag = 0;
    const acks = createAcks(channel, () => handling);
    const turn = async () => await new Promise((resolve) => setImmediate(resolve));
    // a pause of the machine between the two separates them, too
    await waitFor(async () => {
      const before = frames();
      acks.ack(message(++tag));
      await turn();
      const early = frames();
      acks.ack(message(++tag));
      await waitFor(() => frames() > before);
      return early === before && frames() === before + 1;
    });
    handling = 1;
    const before = frames();
    acks.ack(message(++tag));
    await turn();
    expect(frames()).to.equal(before + 1);
  });
});
