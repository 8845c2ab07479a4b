import { randomUUIDv7 } from 'node:crypto';
import { query } from '@taskwire/postgres';
import { expect } from 'chai';
import { contentInApp } from '../src/app/notifications/definitions.ts';
import { writeNotifications } from '../src/postgres/notifications.ts';
import { retentionOf } from './support/retention.ts';
import { startSurroundings, type Surroundings } from './support/running-service.ts';

describe('Notifications of erased users', () => {
  let around: Surroundings;
  before(async () => {
    around = await startSurroundings();
  });
  after(async () => {
    await around.stop();
  });

  const rows = async <R extends object>(text: string, values: unknown[] = []) =>
    await query<R>(around.database.db.pool, text, values);

  /** Adds a user to the directory, together with mailed notifications. */
  async function someone(state: { name: string; email: string; isDeleted: boolean }, count = 2): Promise<string> {
    const id = randomUUIDv7();
    await rows(
      `INSERT INTO directory_users (id, email, name, role, version, updated_at, is_deleted, fetched_at)
       VALUES ($1, $2, $3, 'member', 3, clock_timestamp(), $4, clock_timestamp())`,
      [id, state.email, state.name, state.isDeleted],
    );
    for (let number = 0; number < count; number++) {
      await around.database.db.transaction(async (tx) => {
        await writeNotifications(tx, [
          {
            eventId: randomUUIDv7(),
            userId: id,
            type: 'security.password_changed',
            taskId: null,
            commentId: null,
            actorId: null,
            happenedAt: null,
            templateData: { task: null, actor: null, recipient: state.name },
            // mails with links have no content in the app
            content: number === 0 ? null : { title: `Welcome, ${state.name}`, body: 'Hello' },
            deliveryPolicy: 'resend_once',
            channels: [{ name: 'email', state: 'pending' }],
          },
        ]);
      });
    }
    await rows(
      `INSERT INTO delivery_attempts (delivery_id, number, ended_at, outcome, detail)
       SELECT deliveries.id, 1, clock_timestamp(), 'sent', '250 queued for ann@example.org'
       FROM deliveries JOIN notifications ON notifications.id = notification_id WHERE user_id = $1`,
      [id],
    );
    return id;
  }

  async function erase(): Promise<number> {
    const retention = retentionOf(around.database.db);
    let rounds = 1;
    while ((await retention.tick()) === 'more') rounds += 1;
    return rounds;
  }

  it("are deleted with their deliveries and responses of mail servers; other users' notifications stay", async () => {
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

  /** Notifies Lea of an assignment. Returns the id of the notification. */
  async function assignedBy(actorId: string | null, actor: string, userId: string): Promise<string> {
    const task = { id: randomUUIDv7(), title: 'Paint the fence', isDeleted: false };
    const templateData = { task, actor, recipient: 'Lea' };
    const eventId = randomUUIDv7();
    const notification = {
      ...({
        eventId,
        userId,
        type: 'task.assigned',
        taskId: task.id,
        commentId: null,
        actorId,
        templateData,
        deliveryPolicy: 'keep_unknown',
      } as const),
      happenedAt: null,
      content: contentInApp('task.assigned', templateData),
      channels: [
        { name: 'in_app', state: 'sent' },
        { name: 'email', state: 'pending' },
      ],
    } as const;
    await around.database.db.transaction(async (tx) => await writeNotifications(tx, [notification]));
    const [row] = await rows<{ id: string }>('SELECT id FROM notifications WHERE event_id = $1', [eventId]);
    return row!.id;
  }

  it("lose the erased name in other users' notifications and in waiting mails; other names stay", async () => {
    const lea = await someone({ name: 'Lea', email: 'lea@example.org', isDeleted: false }, 0);
    const erased = await someone({ name: 'Deleted user', email: '', isDeleted: true }, 0);
    const deleted = await someone({ name: 'Dora', email: 'dora@example.org', isDeleted: true }, 0);
    const ofErased = await assignedBy(erased, 'Erik Erased', lea);
    const ofDeleted = await assignedBy(deleted, 'Dora', lea);
    const ofSystem = await assignedBy(null, 'Taskwire', lea);
    await erase();
    const found = await rows<{ id: string; body: string; text: string; due: boolean }>(
      `SELECT n.id, n.body, n::text AS text, d.next_attempt_at IS NOT NULL AS due
       FROM notifications n JOIN deliveries d ON d.notification_id = n.id AND channel = 'email' WHERE user_id = $1 ORDER BY n.id`,
      [lea],
    );
    expect(found.map(({ id, body }) => [id, body])).to.deep.equal([
      [ofErased, 'Deleted user assigned “Paint the fence” to you.'],
      [ofDeleted, 'Dora assigned “Paint the fence” to you.'],
      [ofSystem, 'Taskwire assigned “Paint the fence” to you.'],
    ]);
    for (const { text, due } of found) {
      expect(text).not.to.include('Erik');
      expect(due, 'it is still to be mailed').to.equal(true);
    }
  });

  it('lose the name in batches, each notification once', async () => {
    const lea = await someone({ name: 'Lea', email: 'lea@example.org', isDeleted: false }, 0);
    const erased = await someone({ name: 'Deleted user', email: '', isDeleted: true }, 0);
    await rows(
      `INSERT INTO notifications (event_id, user_id, type, actor_id, template_data, title, body)
       SELECT uuidv7(), $1, 'task.started', $2,
         '{"task": {"id": "t1", "title": "Water", "isDeleted": false}, "actor": "Erik", "recipient": "Lea"}', 'Title', 'Erik started “Water”.'
       FROM generate_series(1, 600)`,
      [lea, erased],
    );
    expect(await erase()).to.equal(2);
    expect(
      await rows("SELECT FROM notifications WHERE user_id = $1 AND body LIKE 'Deleted user %'", [lea]),
    ).to.have.length(600);
    expect(await erase()).to.equal(1);
  });

  it('are deleted with age, regardless of who is named in them', async () => {
    const lea = await someone({ name: 'Lea', email: 'lea@example.org', isDeleted: false }, 0);
    await rows(
      `INSERT INTO notifications (id, event_id, user_id, type, template_data, title, body, created_at)
       SELECT uuidv7(make_interval(days => -days)), uuidv7(), $1, 'task.started', '{}', 'Title', 'Body', now() - make_interval(days => days)
       FROM unnest(ARRAY[366, 364, 0]) AS days`,
      [lea],
    );
    await rows(
      `INSERT INTO deliveries (notification_id, channel, delivery_policy, state) SELECT id, 'in_app', 'keep_unknown', 'sent' FROM notifications WHERE user_id = $1`,
      [lea],
    );
    await erase();
    const left = await rows<{ days: number }>(
      `SELECT extract(day FROM now() - n.created_at)::integer AS days FROM notifications n JOIN deliveries ON notification_id = n.id
       WHERE user_id = $1 ORDER BY 1`,
      [lea],
    );
    expect(left.map(({ days }) => days)).to.deep.equal([0, 364]);
  });

  it('are deleted in batches', async () => {
    const erased = await someone({ name: 'Deleted user', email: '', isDeleted: true }, 1);
    await rows(
      `INSERT INTO notifications (event_id, user_id, type, template_data, title, body)
       SELECT uuidv7(), $1, 'security.password_changed', '{}', 'Title', 'Body' FROM generate_series(1, 600)`,
      [erased],
    );
    expect(await erase()).to.equal(2);
    expect(await rows('SELECT FROM notifications WHERE user_id = $1', [erased])).to.have.length(0);
  });
});
