import { expect } from 'chai';
import { dead, done, retry } from '@taskwire/inbox';
import { query } from '@taskwire/postgres';
import { waitFor } from '@taskwire/testing';
import { anEvent, createBench, type Bench } from './bench.ts';

describe('inbox', () => {
  let bench: Bench;
  beforeEach(async () => (bench = await createBench()));
  afterEach(async () => await bench.drop());

  it('runs the effect of a message once, however often the message comes', async () => {
    await bench.start([bench.counting({ type: 'tasks.task.created' })]);
    const event = anEvent({ type: 'tasks.task.created' });
    const last = anEvent({ type: 'tasks.task.created' });
    for (let i = 0; i < 3; i++) await bench.publish(event);
    await bench.publish(last);
    await bench.taken(last);
    expect(await bench.effects()).to.deep.equal([event.messageId, last.messageId]);
  });

  it('commits effect and memory together, so that a failing effect leaves neither', async () => {
    let failures = 2;
    const handler = bench.counting({
      type: 'tasks.task.created',
      outcome: (messageId) =>
        done(async (tx) => {
          await query(tx, 'INSERT INTO effects (message_id) VALUES ($1)', [messageId]);
          if (failures-- > 0) throw new Error('not yet');
        }),
    });
    await bench.start([handler], { backOff: { baseMs: 1, capMs: 1 } });
    const event = anEvent({ type: 'tasks.task.created' });
    await bench.publish(event);
    await waitFor(async () => (await bench.effects()).length === 1);
    expect(await bench.rows('inbox_retries')).to.deep.equal([]);
  });

  it('records what is to be tried again, and what failed for good', async () => {
    const outcomes = [retry('not now'), dead('never')];
    await bench.start([bench.counting({ type: 'tasks.#', order: 'none', outcome: () => outcomes.shift() ?? done() })], {
      backOff: { baseMs: 3_600_000, capMs: 3_600_000 },
      concurrency: 1,
    });
    const first = anEvent({ type: 'tasks.task.created' });
    const second = anEvent({ type: 'tasks.task.created' });
    await bench.publish(first);
    await bench.publish(second);
    await bench.taken(first, second);
    const [retried] = await bench.rows('inbox_retries');
    expect(retried).to.include({ message_id: first.messageId, attempts: 1, last_error: 'not now', state: 'retry' });
    const [buried] = await bench.rows('dead_letters');
    expect(buried).to.include({ message_id: second.messageId, reason: 'refused', error: 'never', state: 'dead' });
  });
});
