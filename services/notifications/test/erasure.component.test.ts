import { randomUUIDv7 } from 'node:crypto';
import { query } from '@taskwire/postgres';
import { expect } from 'chai';
import { eraseNotifications } from '../src/postgres/erase.ts';
import { writeNotifications } from '../src/postgres/notifications.ts';
import { startSurroundings, type Surroundings } from './support/running-service.ts';

describe('What users were told whom Auth has erased', () => {
  let around: Surroundings;
  before(async () => {
    around = await startSurroundings();
  });
  after(async () => {
    await around.stop();
  });

  const rows = async <R extends object>(text: string, values: unknown[] = []) =>
    await query<R>(around.database.db.pool, text, values);

  /** A user of the directory, with notifications that have been mailed. */
  async function someone(state: { name: string; email: string; isDeleted: boolean }, told = 2): Promise<string> {
    const id = randomUUIDv7();
    await rows(
      `INSERT INTO directory_users (id, email, name, role, version, updated_at, is_deleted, fetched_at)
       VALUES ($1, $2, $3, 'member', 3, clock_timestamp(), $4, clock_timestamp())`,
      [id, state.email, state.name, state.isDeleted],
    );
    for (let number = 0; number < told; number++) {
      await around.database.db.transaction(async (tx) => {
        await writeNotifications(tx, [
          {
            eventId: randomUUIDv7(),
            userId: id,
            type: 'user.welcome',
            taskId: null,
            facts: { task: null, actor: null, recipient: state.name },
            // mails with links have no words
            words: number === 0 ? null : { title: `Welcome, ${state.name}`, body: 'Hello' },
            class: 'account',
            channels: [{ name: 'email', state: 'pending' }],
          },
        ]);
      });
    }
    await rows(
      `INSERT INTO delivery_attempts (delivery_id, number, ended_at, outcome, detail)
       SELECT deliveries.id, 1, clock_timestamp(), 'sent', '250 queued for somebody@example.org'
       FROM deliveries JOIN notifications ON notifications.id = notification_id WHERE user_id = $1`,
      [id],
    );
    return id;
  }

  async function erase(): Promise<number> {
    let rounds = 1;
    while ((await eraseNotifications(around.database.db.pool)) === 'more') rounds += 1;
    return rounds;
  }

  it('goes, with its deliveries and what mail servers said; what others were told stays', async () => {
    const erased = await someone({ name: 'Deleted user', email: '', isDeleted: true });
    const deleted = await someone({ name: 'Dora', email: 'dora@example.org', isDeleted: true });
    const living = await someone({ name: 'Lea', email: 'lea@example.org', isDeleted: false });
    await erase();
    const left = await rows<{ user_id: string; attempts: string }>(
      `SELECT user_id, count(*) AS attempts FROM notifications
       JOIN deliveries ON notification_id = notifications.id JOIN delivery_attempts ON delivery_id = deliveries.id
       GROUP BY user_id ORDER BY user_id`,
    );
    expect(left).to.deep.equal([
      { user_id: deleted, attempts: '2' },
      { user_id: living, attempts: '2' },
    ]);
    expect(await rows('SELECT FROM notifications WHERE user_id = $1', [erased])).to.have.length(0);
    expect(await rows('SELECT FROM deliveries')).to.have.length(4);
  });

  it('goes in batches', async () => {
    const erased = await someone({ name: 'Deleted user', email: '', isDeleted: true }, 1);
    await rows(
      `INSERT INTO notifications (event_id, user_id, type, facts, title, body)
       SELECT uuidv7(), $1, 'user.welcome', '{}', 'Title', 'Body' FROM generate_series(1, 600)`,
      [erased],
    );
    expect(await erase()).to.equal(2);
    expect(await rows('SELECT FROM notifications WHERE user_id = $1', [erased])).to.have.length(0);
  });
});
