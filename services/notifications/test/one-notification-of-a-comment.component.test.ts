import { randomUUIDv7 } from 'node:crypto';
import { query } from '@taskwire/postgres';
import { waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import type { NewNotification } from '../src/app/ports.ts';
import { notificationsAtCommit, writeNotifications } from '../src/postgres/notifications.ts';
import { deliveryHarness } from './support/delivery-harness.ts';

describe('A user is notified of a comment once', () => {
  const harness = deliveryHarness();
  const task = { id: randomUUIDv7(), title: 'Paint the fence', isDeleted: false };
  let commentId: string;
  beforeEach(() => {
    commentId = randomUUIDv7();
  });

  /** Plans the notifications of one event. */
  function planned(type: 'comment.added' | 'comment.mentioned', ...userIds: string[]): NewNotification[] {
    const eventId = randomUUIDv7();
    const templateData = { task, actor: 'Ada', recipient: 'Ann' };
    return userIds.map((userId) =>
      harness.buildNotification({ eventId, userId, type, commentId, actorId: null, templateData }),
    );
  }
  const write = async (given: readonly NewNotification[]) =>
    await harness.database.db.transaction(async (tx) => await writeNotifications(tx, given));
  const written = async () =>
    await query<{ type: string; user_id: string; deliveries: number }>(
      harness.database.db.pool,
      `SELECT type, user_id, (SELECT count(*)::int FROM deliveries WHERE notification_id = n.id) AS deliveries
       FROM notifications n WHERE comment_id = $1`,
      [commentId],
    );

  it('by two events whose effects share a transaction, in favour of the one that was handled first', async () => {
    const user = randomUUIDv7();
    const writeAtCommit = notificationsAtCommit(() => undefined);
    await harness.database.db.transaction(async (tx) => {
      writeAtCommit(tx, planned('comment.mentioned', user));
      writeAtCommit(tx, planned('comment.added', user));
    });
    expect(await written()).to.deep.equal([{ type: 'comment.mentioned', user_id: user, deliveries: 2 }]);
  });

  it('by two concurrent events, of which the second waits for the first', async () => {
    const [user, other] = [randomUUIDv7(), randomUUIDv7()];
    const waiting = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    const second = await harness.database.db.transaction(async (tx) => {
      await writeNotifications(tx, planned('comment.added', user));
      const result = write(planned('comment.mentioned', user, other));
      await waitFor(async () => (await query(harness.database.db.pool, waiting)).length > 0);
      return { result };
    });
    expect(await second.result).to.equal(1);
    expect(await written()).to.have.deep.members([
      { type: 'comment.added', user_id: user, deliveries: 2 },
      { type: 'comment.mentioned', user_id: other, deliveries: 2 },
    ]);
  });

  it('by the second event if the transaction of the first fails', async () => {
    const user = randomUUIDv7();
    const failing = harness.database.db.transaction(async (tx) => {
      await writeNotifications(tx, planned('comment.added', user));
      throw new Error('rolled back');
    });
    const error: unknown = await failing.catch((reason: unknown) => reason);
    expect(String(error)).to.include('rolled back');
    expect(await write(planned('comment.mentioned', user))).to.equal(1);
  });

  it('by concurrent events that name the same users in another order, without a deadlock', async () => {
    const users = Array.from({ length: 50 }, () => randomUUIDv7());
    for (let round = 0; round < 5; round++) {
      commentId = randomUUIDv7();
      const counts = await Promise.all([
        write(planned('comment.added', ...users)),
        write(planned('comment.mentioned', ...users.toReversed())),
      ]);
      expect(counts.toSorted((a, b) => a - b)).to.deep.equal([0, 50]);
    }
  });
});
