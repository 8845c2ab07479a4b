import { randomUUIDv7 } from 'node:crypto';
import { notificationsRoutes, type Route } from '@taskwire/contracts';
import { query } from '@taskwire/postgres';
import { deadLetterFilterValues, insertDeadLetters, walkAsStranger, walkFilters, walkReplays } from '@taskwire/testing';
import { expect } from 'chai';
import { writeNotifications } from '../src/postgres/notifications.ts';
import type { FakeUser } from './support/fake-services.ts';
import { startService, startSurroundings, type RunningService, type Surroundings } from './support/running-service.ts';

describe('The contract of Notifications', () => {
  let around: Surroundings;
  let service: RunningService;
  let ann: FakeUser;
  let ids: string[];

  before(async () => {
    around = await startSurroundings();
    service = await startService(around, { SMTP_URL: 'smtp://127.0.0.1:1', PROCESS_ROLE: 'api' });
    ann = around.others.addUser('Ann');
    ids = [await notify(ann), await notify(ann), await notify(ann)];
  });
  after(async () => {
    await service.stop();
    await around.stop();
  });

  async function notify(user: FakeUser): Promise<string> {
    const eventId = randomUUIDv7();
    await around.database.db.transaction(
      async (tx) =>
        await writeNotifications(tx, [
          {
            ...{
              eventId,
              userId: user.id,
              type: 'task.assigned',
              taskId: randomUUIDv7(),
              commentId: null,
              actorId: null,
            },
            ...{ happenedAt: null, templateData: { task: null, actor: null, recipient: user.name } },
            content: { title: `Title for ${user.name}`, body: 'Body' },
            deliveryPolicy: 'keep_unknown',
            channels: [{ name: 'in_app', state: 'sent' }],
          },
        ]),
    );
    const [row] = await query<{ id: string }>(
      around.database.db.pool,
      'SELECT id FROM notifications WHERE user_id = $1 ORDER BY created_at DESC LIMIT 1',
      [user.id],
    );
    return row?.id ?? '';
  }

  async function snapshot(): Promise<unknown> {
    return await query(around.database.db.pool, 'SELECT * FROM notifications WHERE user_id = $1 ORDER BY id', [ann.id]);
  }

  it('replays the response of every idempotent operation', async () => {
    const { operations, faults } = await walkReplays({
      ...{ baseUrl: service.url, routes: notificationsRoutes, prepare: {}, snapshot },
    });
    expect({ operations, faults }).to.deep.equal({ operations: 0, faults: [] });
  });

  it("rejects a stranger to another user's notifications in every operation", async () => {
    const params = { id: ids[0] ?? '' };
    const { operations, faults } = await walkAsStranger({
      ...{ baseUrl: service.url, routes: notificationsRoutes, secrets: [...ids, 'Title for Ann'], snapshot },
      tokenOf: async () => await around.others.userToken(around.others.addUser('Ben')),
      requests: {
        readNotification: { params },
        getNotificationsDeadLetter: { params },
        replayNotificationsDeadLetter: { params },
        replayNotificationsDeadLetters: { body: { filter: {} } },
        dropNotificationsDeadLetter: { params, body: { reason: 'a test' } },
        listNotificationJourney: { params: { task_id: ids[0] ?? '' } },
      },
    });
    expect({ operations, faults }).to.deep.equal({ operations: 10, faults: [] });
  });

  it('applies every parameter of every list', async () => {
    const path = `/api/v1/notifications/${ids[1]}/read`;
    await service.call('POST', path, { token: await around.others.userToken(ann) });
    await insertDeadLetters(around.database.db.pool);
    const taskId = randomUUIDv7();
    const text = `INSERT INTO inbox (message_id, handler, type, aggregate_id, consumed_at) SELECT uuidv7(), 'notify', 'tasks.task.started', $1, now() FROM generate_series(1, 3)`;
    await query(around.database.db.pool, text, [taskId]);
    const admin = around.others.addUser('Ada', 'admin');
    const isForAdmins = ({ access }: Route) => access.kind === 'user' && access.roles !== undefined;
    const { parameters, faults } = await walkFilters({
      ...{ baseUrl: service.url, routes: notificationsRoutes },
      tokenOf: async (route) => await around.others.userToken(isForAdmins(route) ? admin : ann),
      params: { listNotificationJourney: { task_id: taskId } },
      values: {
        listNotifications: { unread: ['true', 'false'] },
        listNotificationsDeadLetters: deadLetterFilterValues,
      },
    });
    expect({ parameters, faults }).to.deep.equal({ parameters: 14, faults: [] });
  });
});
