import { randomUUIDv7 } from 'node:crypto';
import { notificationsRoutes, schemas } from '@taskwire/contracts';
import { query } from '@taskwire/postgres';
import { waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import type { NewNotification } from '../src/app/ports.ts';
import { notificationInbox, writeNotifications } from '../src/postgres/notifications.ts';
import type { FakeUser } from './support/fake-services.ts';
import { startService, startSurroundings, type RunningService, type Surroundings } from './support/running-service.ts';

const list = notificationsRoutes.listNotifications.responses[200];
const count = notificationsRoutes.countUnread.responses[200];
const readAll = notificationsRoutes.readAllNotifications.responses[200];
const base = '/api/v1/notifications';

describe('The API of Notifications', () => {
  let around: Surroundings;
  let service: RunningService;
  let ann: FakeUser;
  let token: string;

  before(async () => {
    around = await startSurroundings();
    service = await startService(around, { SMTP_URL: 'smtp://127.0.0.1:1', PROCESS_ROLE: 'api' });
  });
  after(async () => {
    await service.stop();
    await around.stop();
  });
  beforeEach(async () => {
    ann = around.others.addUser('Ann');
    token = await around.others.userToken(ann);
  });

  /** Writes notifications of a user, one after the other. Returns their ids, newest first. */
  async function given(howMany: number, user = ann): Promise<string[]> {
    for (let n = 0; n < howMany; n++) {
      const one: NewNotification = {
        eventId: randomUUIDv7(),
        userId: user.id,
        type: 'task.assigned',
        taskId: randomUUIDv7(),
        commentId: null,
        actorId: null,
        happenedAt: null,
        templateData: { task: null, actor: null, recipient: user.name },
        content: { title: `Title ${n}`, body: 'Body' },
        deliveryPolicy: 'keep_unknown',
        channels: [{ name: 'in_app', state: 'sent' }],
      };
      await around.database.db.transaction(async (tx) => await writeNotifications(tx, [one]));
    }
    const rows = await query<{ id: string }>(
      around.database.db.pool,
      'SELECT id FROM notifications WHERE user_id = $1 ORDER BY created_at DESC',
      [user.id],
    );
    return rows.map(({ id }) => id);
  }

  const get = async (path: string, as = token) => await service.call('GET', `${base}${path}`, { token: as });
  const post = async (path: string, as = token) => await service.call('POST', `${base}${path}`, { token: as });
  const unread = async () => count.parse((await get('/unread_count')).body).unread_count;

  it("lists a user's own notifications, newest first, in pages without gaps or repetitions", async () => {
    const ids = await given(7);
    await given(2, around.others.addUser('Ben'));
    const seen: string[] = [];
    let path = '?limit=3';
    for (;;) {
      const page = list.parse((await get(path)).body);
      seen.push(...page.data.map(({ id }) => id));
      if (page.next_cursor === null) break;
      expect(page.data).to.have.length(3);
      path = `?limit=3&cursor=${page.next_cursor}`;
    }
    expect(seen).to.deep.equal(ids);
  });

  it('continues a list at the same position while new notifications arrive', async () => {
    const ids = await given(4);
    const first = list.parse((await get('?limit=2')).body);
    await given(3);
    const second = list.parse((await get(`?limit=2&cursor=${first.next_cursor}`)).body);
    expect(second.data.map(({ id }) => id)).to.deep.equal(ids.slice(2));
    expect(second.next_cursor).to.equal(null);
  });

  it('reads a page from an index, however many notifications a user has', async () => {
    const rolledBack = new Error('rolled back');
    const reading = around.database.db.transaction(async (tx) => {
      await tx.query(
        `INSERT INTO notifications (event_id, user_id, type, template_data, title, body)
         SELECT uuidv7(), $1, 'task.assigned', '{}', 'Title', 'Body' FROM generate_series(1, 2000)`,
        [ann.id],
      );
      await tx.query('ANALYZE notifications');
      const sql = `SELECT seq_tup_read + idx_tup_fetch AS n FROM pg_stat_xact_user_tables WHERE relname = 'notifications'`;
      const readSoFar = async () => Number((await tx.query<{ n: string }>(sql))[0]?.n);
      for (const unread of [undefined, true]) {
        const before = await readSoFar();
        const { items } = await notificationInbox(tx).list({ userId: ann.id, unread }, { after: undefined, limit: 10 });
        expect(items).to.have.length(10);
        expect((await readSoFar()) - before).to.be.below(50);
      }
      throw rolledBack;
    });
    expect(await reading.catch((error: unknown) => error)).to.equal(rolledBack);
  });

  it('lists only unread notifications on request', async () => {
    const [newest, middle, oldest] = await given(3);
    await post(`/${middle}/read`);
    const page = list.parse((await get('?unread=true')).body);
    expect(page.data.map(({ id }) => id)).to.deep.equal([newest, oldest]);
    const read = list.parse((await get('?unread=false')).body);
    expect(read.data.map(({ id }) => id)).to.deep.equal([middle]);
    expect(list.parse((await get('')).body).data).to.have.length(3);
  });

  it('rejects a cursor of another filter', async () => {
    await given(3);
    const { next_cursor: cursor } = list.parse((await get('?unread=true&limit=1')).body);
    expect((await get(`?unread=true&limit=1&cursor=${cursor}`)).status).to.equal(200);
    for (const other of ['', '&unread=false']) {
      const refused = await get(`?limit=1&cursor=${cursor}${other}`);
      expect(refused).to.have.property('status', 400);
      expect(refused.body).to.include({ code: 'bad_cursor' });
    }
  });

  it('returns an empty list to a user without notifications', async () => {
    expect(list.parse((await get('')).body)).to.deep.equal({ data: [], next_cursor: null });
    expect(await unread()).to.equal(0);
  });

  it('keeps the time of the first read', async () => {
    const [id] = await given(1);
    const first = await post(`/${id}/read`);
    expect(first.status).to.equal(200);
    const notification = schemas.notification.parse(first.body);
    expect(notification.read_at).to.match(/\.\d{6}Z$/);
    expect(notification.seen_at).to.equal(notification.read_at);
    expect((await post(`/${id}/read`)).body).to.deep.equal(first.body);
    expect(await unread()).to.equal(0);
  });

  it('counts each notification as read once, however many requests mark it concurrently', async () => {
    const ids = await given(30);
    const answers = await Promise.all([
      ...Array.from({ length: 6 }, async () => readAll.parse((await post('/read_all')).body).read),
      ...ids.map(async (id) => {
        expect((await post(`/${id}/read`)).status).to.equal(200);
        return 0;
      }),
    ]);
    expect(answers.reduce((sum, n) => sum + n)).to.be.at.most(30);
    expect(await unread()).to.equal(0);
    expect(readAll.parse((await post('/read_all')).body).read).to.equal(0);
  });

  it("marks only the caller's own notifications as read", async () => {
    const ben = around.others.addUser('Ben');
    const [bens] = await given(2, ben);
    await given(2);
    expect(readAll.parse((await post('/read_all')).body).read).to.equal(2);
    const answer = await post(`/${bens}/read`);
    expect(answer.status).to.equal(404);
    expect(schemas.problem.parse(answer.body).code).to.equal('not_found');
    const bensToken = await around.others.userToken(ben);
    expect(count.parse((await get('/unread_count', bensToken)).body).unread_count).to.equal(2);
  });

  it('rejects a deleted user at once, although the token has not expired', async () => {
    expect((await get('')).status).to.equal(200);
    await query(
      around.database.db.pool,
      `INSERT INTO directory_users (id, is_deleted) VALUES ($1, true) ON CONFLICT (id) DO UPDATE SET is_deleted = true`,
      [ann.id],
    );
    const answer = await waitFor(
      async () => {
        const refused = await get('');
        return refused.status === 401 && refused;
      },
      { timeoutMs: 1_000 },
    );
    expect(schemas.problem.parse(answer.body).code).to.equal('access_revoked');
  });

  describe('invalid requests, which write nothing', () => {
    const cursorOf = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    type Case = [what: string, method: string, path: string, status: number, code: string, body?: string];
    const cases: Case[] = [
      ['a page size of 0', 'GET', '?limit=0', 422, 'invalid_input'],
      ['a page size above 100', 'GET', '?limit=101', 422, 'invalid_input'],
      ['a page size that is not a number', 'GET', '?limit=many', 422, 'invalid_input'],
      ['an unknown parameter', 'GET', '?colour=red', 422, 'invalid_input'],
      ['a filter that is neither true nor false', 'GET', '?unread=maybe', 422, 'invalid_input'],
      ['a parameter given twice', 'GET', '?limit=1&limit=2', 422, 'invalid_input'],
      ['a forged cursor', 'GET', '?cursor=abc', 400, 'bad_cursor'],
      ['a cursor of another list', 'GET', `?cursor=${cursorOf({ id: 1 })}`, 400, 'bad_cursor'],
      [
        'a cursor with a date that PostgreSQL cannot represent',
        'GET',
        `?cursor=${cursorOf(['0000-01-01T00:00:00Z', randomUUIDv7()])}`,
        400,
        'bad_cursor',
      ],
      [
        'a cursor with an injection',
        'GET',
        `?cursor=${cursorOf(["2026-01-01T00:00:00Z'; DROP TABLE x", randomUUIDv7()])}`,
        400,
        'bad_cursor',
      ],
      ['a cursor that is too long', 'GET', `?cursor=${'a'.repeat(1001)}`, 422, 'invalid_input'],
      ['a malformed id', 'POST', '/not-a-uuid/read', 422, 'invalid_input'],
      ['an unknown id', 'POST', `/${randomUUIDv7()}/read`, 404, 'not_found'],
      ['an unsupported method', 'DELETE', '', 405, 'method_not_allowed'],
      ['an unknown path', 'GET', '/x/y/z', 404, 'not_found'],
    ];
    for (const [what, method, path, status, code] of cases) {
      it(`rejects ${what}`, async () => {
        await given(1);
        const answer = await service.call(method, `${base}${path}`, { token });
        expect(answer.status).to.equal(status);
        expect(answer.headers.get('content-type')).to.match(/^application\/problem\+json/);
        expect(schemas.problem.parse(answer.body)).to.include({ status, code });
        expect(await unread()).to.equal(1);
      });
    }

    const tokens: [string, () => Promise<string | undefined>, number, string][] = [
      ['no token', async () => undefined, 401, 'unauthenticated'],
      ['a malformed token', async () => 'a.b.c', 401, 'invalid_token'],
      ['an expired token', async () => await around.others.userToken(ann, { expiresIn: -60 }), 401, 'token_expired'],
      [
        'a token for another audience',
        async () => await around.others.userToken(ann, { audience: 'urn:taskwire:tasks' }),
        401,
        'invalid_token',
      ],
      ['a token of a service', async () => await around.others.serviceToken(), 403, 'forbidden'],
    ];
    const endpoints = [
      ['GET', ''],
      ['GET', '/unread_count'],
      ['POST', `/${randomUUIDv7()}/read`],
      ['POST', '/read_all'],
    ] as const;
    for (const [what, make, status, code] of tokens) {
      for (const [method, path] of endpoints) {
        it(`rejects ${what} at ${method} ${base}${path.replace(/[0-9a-f-]{36}/, '{id}')}`, async () => {
          await given(1);
          const bad = await make();
          const answer = await service.call(method, `${base}${path}`, bad === undefined ? {} : { token: bad });
          expect(answer.status).to.equal(status);
          expect(schemas.problem.parse(answer.body).code).to.equal(code);
          expect(await unread()).to.equal(1);
        });
      }
    }
  });

  it('is not served by a worker, whose readiness depends on the broker', async () => {
    const worker = await startService(around, { SMTP_URL: 'smtp://127.0.0.1:1', PROCESS_ROLE: 'worker' });
    try {
      expect((await worker.call('GET', base, { token })).status).to.equal(404);
      await waitFor(async () => (await worker.call('GET', '/ready')).status === 200);
      expect((await worker.call('GET', '/ready')).body).to.have.nested.property('checks.broker.ok', true);
    } finally {
      await worker.stop();
    }
  });

  it('reports health, and readiness once its database is reachable and migrated', async () => {
    expect(await service.call('GET', '/health')).to.deep.include({ status: 200, body: { status: 'ok' } });
    const ready = await service.call('GET', '/ready');
    expect(ready.status).to.equal(200);
    expect(ready.body).to.deep.equal({ status: 'ready', checks: { database: { ok: true }, migrations: { ok: true } } });
  });
});
