import { randomUUIDv7 } from 'node:crypto';
import { expect } from 'chai';
import {
  dead,
  done,
  readMessageJourneys,
  retry,
  type HandlerContext,
  type MessageJourney,
  type Outcome,
} from '@taskwire/inbox';
import { query } from '@taskwire/postgres';
import { neverRetry, testEvent, testHandler, useInboxHarness } from '@taskwire/testing';

const times = { created_at: '2026-11-29T10:00:00.000001Z', published_at: '2026-11-29T10:00:00.000999Z' };

/** Events whose ids sort in their order, as those of the outbox do. */
function inOrder(count: number, event: Parameters<typeof testEvent>[0]) {
  return Array.from({ length: count }, () => testEvent(event)).toSorted((a, b) => (a.messageId < b.messageId ? -1 : 1));
}

describe('journeys of messages', () => {
  const harness = useInboxHarness();

  const journeys = async (aggregateId: string, after?: readonly string[], limit = 50) =>
    await readMessageJourneys(harness.database.db.pool, { aggregateId, handler: 'notify' }, { after, limit });

  it('have the times that the publisher sent, and the time of consumption by the clock of the database', async () => {
    const event = testEvent({ aggregateId: 'task', correlationId: 'request-1', headers: times });
    await harness.start([testHandler({ name: 'notify' })]);
    const { pool } = harness.database.db;
    await query(pool, 'CREATE TABLE started AS SELECT clock_timestamp() AS at');
    await harness.publish(event, testEvent({ aggregateId: 'other' }));
    await harness.accepted(event);
    const { items, next } = await journeys('task');
    expect(next).to.equal(undefined);
    expect(items.map(({ consumed_at: _, ...rest }) => rest)).to.deep.equal([
      {
        ...{ message_id: event.messageId, event: event.routingKey, aggregate_id: 'task' },
        ...{ request_id: 'request-1', ...times },
        ...{ state: 'done', attempts: 0, next_attempt_at: null, last_error: null },
      },
    ]);
    const [order] = await query(
      pool,
      'SELECT at < consumed_at AND consumed_at < clock_timestamp() AS is_between FROM inbox, started WHERE aggregate_id = $1',
      ['task'],
    );
    expect(order).to.deep.equal({ is_between: true });
  });

  it('name the state of each message: done, retried, waiting behind another one, or dead', async () => {
    const outcomes: Outcome[] = [dead('never'), retry('not now')];
    await harness.start([testHandler({ name: 'notify', decide: () => outcomes.shift() ?? dead('unexpected') })], {
      limits: neverRetry,
    });
    const events = inOrder(3, { aggregateId: 'task', headers: times });
    await harness.publish(...events);
    await harness.accepted(...events);
    const { items } = await journeys('task');
    expect(items.map(({ state, last_error, attempts }) => [state, last_error, attempts])).to.deep.equal([
      ['dead', 'never', 1],
      ['retry', 'not now', 1],
      ['waiting', null, 0],
    ]);
    expect(items.map(({ next_attempt_at }) => next_attempt_at !== null)).to.deep.equal([false, true, false]);
  });

  it('are read in pages, in the order of the events', async () => {
    const events = inOrder(3, { aggregateId: 'task' });
    await harness.start([testHandler({ name: 'notify' })]);
    await harness.publish(...events);
    await harness.accepted(...events);
    const seen: MessageJourney[] = [];
    let place: readonly string[] | undefined;
    do {
      const { items, next } = await journeys('task', place, 2);
      seen.push(...items);
      place = next;
    } while (place !== undefined);
    expect(seen.map(({ message_id }) => message_id)).to.deep.equal(events.map(({ messageId }) => messageId));
  });

  it('of a task include those of its comments, whatever became of them', async () => {
    const comment = (aggregateId: string, task: string) =>
      testEvent({
        ...{ aggregateId, routingKey: 'tasks.comment.added' },
        body: Buffer.from(JSON.stringify({ n: 1, task_uuid: task, comment_uuid: aggregateId })),
      });
    const [task, other] = [randomUUIDv7(), randomUUIDv7()];
    const events = [testEvent({ aggregateId: task }), comment('handled', task), comment('dead', task)];
    const decide = ({ aggregateId }: HandlerContext) => (aggregateId === 'dead' ? dead('no') : done());
    await harness.start([testHandler({ name: 'notify', decide })]);
    await harness.publish(...events, comment('elsewhere', other));
    await harness.accepted(...events);
    const { items } = await journeys(task);
    expect(items.map(({ aggregate_id, state }) => [aggregate_id, state])).to.have.deep.members([
      [task, 'done'],
      ['handled', 'done'],
      ['dead', 'dead'],
    ]);
    const ids = items.map(({ message_id }) => message_id);
    expect(ids).to.deep.equal(ids.toSorted());
  });

  it('lack times that are invalid, and the messages are handled all the same', async () => {
    const bad = ['2026-02-31T10:00:00.000000Z', '0000-01-01T10:00:00.000000Z', 'yesterday', '2026-11-29', '', 5, null];
    const events = bad.map((value) =>
      testEvent({ aggregateId: 'task', headers: { created_at: value as string, published_at: value as string } }),
    );
    await harness.start([testHandler({ name: 'notify' })]);
    await harness.publish(...events);
    await harness.accepted(...events);
    const { items } = await journeys('task');
    expect(items.map(({ created_at, published_at, state }) => [created_at, published_at, state])).to.deep.equal(
      bad.map(() => [null, null, 'done']),
    );
  });
});
