import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { createDatabase, query, sessionName, type Database } from '@taskwire/postgres';
import { programEnv, testDatabase, type TestDatabase } from '@taskwire/testing';
import { createTelemetry } from '@taskwire/telemetry';
import { silent } from '@taskwire/testing';
import { newClientKey } from '../../../infra/local/service-clients.ts';
import { runTaskwire } from './run-taskwire.ts';

const services = ['auth', 'tasks', 'notifications'] as const;
type Service = (typeof services)[number];

const migrateCommand = (service: Service) =>
  fileURLToPath(new URL(`../../../services/${service}/src/migrate.ts`, import.meta.url));

describe('taskwire restored', () => {
  const databases = new Map<Service, TestDatabase>();

  before(async () => {
    await Promise.all(
      services.map(async (service) => {
        const database = await testDatabase([]);
        databases.set(service, database);
        const env = { ...programEnv(), DATABASE_URL: database.url };
        await promisify(execFile)(process.execPath, [migrateCommand(service)], { env });
      }),
    );
  });
  after(async () => {
    await Promise.all([...databases.values()].map(async (database) => await database.drop()));
  });

  const urlOf = (service: Service) => databases.get(service)?.url ?? '';
  const sql = async <R extends object>(service: Service, text: string, values: unknown[] = []): Promise<R[]> => {
    const database = databases.get(service);
    if (database === undefined) throw new Error(`no database of ${service}`);
    return await query<R>(database.db.pool, text, values);
  };
  const restore = async (service: Service) => {
    // the first connection stores the identity
    await (await connect(service, 'taskwire operator')).close();
    await sql(service, 'UPDATE source_epoch SET epoch = consistent_epoch + 1, raised_at = clock_timestamp()');
  };
  const epochOf = async (service: Service) =>
    (await sql(service, 'SELECT epoch = consistent_epoch AS is_published FROM source_epoch'))[0];

  async function connect(service: Service, applicationName: string): Promise<Database> {
    const telemetry = createTelemetry({ service: 'test', stream: silent() });
    return await createDatabase({ url: urlOf(service), poolSize: 1, applicationName, telemetry });
  }

  const restored = async (...args: string[]) =>
    await runTaskwire(['restored', ...args], {
      DATABASE_URL: urlOf('auth'),
      TASKS_DATABASE_URL: urlOf('tasks'),
      NOTIFICATIONS_DATABASE_URL: urlOf('notifications'),
      KEY_ENCRYPTION_SECRET: Buffer.alloc(32, 7).toString('base64'),
      CLIENT_PRIVATE_KEY: newClientKey(),
    });

  async function notified(taskId: string | null): Promise<string> {
    const [row] = await sql<{ id: string }>(
      'notifications',
      `INSERT INTO notifications (event_id, user_id, type, task_id, template_data, title, body)
       VALUES ($1, $2, 'task.assigned', $3, '{}', 'New task', '') RETURNING id`,
      [randomUUID(), randomUUID(), taskId],
    );
    return row?.id ?? '';
  }

  const deliveryOf = async (notificationId: string, policy = 'keep_unknown', state = 'pending') =>
    await sql(
      'notifications',
      `INSERT INTO deliveries (notification_id, channel, delivery_policy, state, next_attempt_at, created_at, updated_at)
       VALUES ($1, 'email', $2, $3, CASE WHEN $3 IN ('pending', 'sending') THEN now() END, now() - interval '1 hour', now() - interval '1 hour')`,
      [notificationId, policy, state],
    );

  it('does nothing for a database that was not restored', async () => {
    const { code, stdout } = await restored('tasks');
    expect([code, stdout]).to.deep.equal([
      0,
      'The database of tasks was neither restored nor promoted since the suite was last consistent. Nothing to do.\n',
    ]);
  });

  it('only accepts the epoch of a promoted standby', async () => {
    await restore('tasks');
    const { code, stdout } = await restored('tasks', '--promoted');
    expect([code, stdout]).to.deep.equal([0, 'Published epoch 2 of tasks.\n']);
    expect(await epochOf('tasks')).to.deep.equal({ is_published: true });
  });

  it('raises the epoch on request, for a dump that was loaded into the same database', async () => {
    expect((await restored('tasks', '--raise', '--promoted')).stdout).to.equal('Published epoch 3 of tasks.\n');
  });

  it('makes Notifications forget lost states of tasks, and marks notifications about lost tasks', async () => {
    const creator = randomUUID();
    const task = async (version: number) => {
      const [row] = await sql<{ id: string }>(
        'tasks',
        `INSERT INTO tasks (title, description, state, priority, labels, creator_id, version, created_at, updated_at)
         VALUES ('T', '', 'draft', 'normal', '{}', $1, $2, now(), now()) RETURNING id`,
        [creator, version],
      );
      return row?.id ?? '';
    };
    const [same, older] = [await task(3), await task(2)];
    const lost = randomUUID();
    for (const [id, version] of [
      [same, 3],
      [older, 5],
      [lost, 1],
    ] as const)
      await sql(
        'notifications',
        `INSERT INTO task_cache (id, title, creator_id, version, is_deleted, fresh_as_of) VALUES ($1, 'T', $2, $3, false, now())`,
        [id, creator, version],
      );
    const [kept, missing] = [await notified(same), await notified(lost)];
    await deliveryOf(kept);
    await deliveryOf(missing);
    await restore('tasks');
    const { code, stdout, stderr } = await restored('tasks');
    expect([code, stderr]).to.deep.equal([0, '']);
    expect(stdout).to.equal(
      'Removed 2 lost states of tasks from the cache of Notifications.\n' +
        'Marked 1 notifications about tasks that were lost, and skipped 1 of their mails.\n' +
        'Published epoch 4 of tasks.\n',
    );
    expect(await sql('notifications', 'SELECT id FROM task_cache')).to.deep.equal([{ id: same }]);
    const marked = await sql('notifications', 'SELECT id FROM notifications WHERE task_missing_since IS NOT NULL');
    expect(marked).to.deep.equal([{ id: missing }]);
    const deliveries = 'SELECT notification_id AS id, state FROM deliveries ORDER BY created_at, id';
    expect(await sql('notifications', deliveries)).to.have.deep.members([
      { id: kept, state: 'pending' },
      { id: missing, state: 'skipped' },
    ]);
    const [{ is_due: isDue } = {}] = await sql<{ is_due?: boolean }>(
      'tasks',
      'SELECT full_completed_at IS NULL AS is_due FROM directory_reconciliation',
    );
    expect(isDue).to.equal(true);
  });

  it('marks deliveries that were open as unknown, and lets their policy decide', async () => {
    await sql('notifications', 'DELETE FROM notifications');
    const [notice, account, sent, later] = [
      await notified(null),
      await notified(null),
      await notified(null),
      await notified(null),
    ];
    await deliveryOf(notice);
    await deliveryOf(account, 'resend_once', 'sending');
    await deliveryOf(sent, 'keep_unknown', 'sent');
    await restore('notifications');
    await deliveryOf(later);
    await sql('notifications', 'UPDATE deliveries SET updated_at = clock_timestamp() WHERE notification_id = $1', [
      later,
    ]);
    const { code, stdout } = await restored('notifications');
    expect([code, stdout]).to.deep.equal([0, 'Marked 2 deliveries as unknown.\nPublished epoch 2 of notifications.\n']);
    const rows = await sql(
      'notifications',
      'SELECT notification_id AS id, state, next_attempt_at IS NOT NULL AS is_due FROM deliveries',
    );
    expect(rows).to.have.deep.members([
      { id: notice, state: 'unknown', is_due: false },
      { id: account, state: 'unknown', is_due: true },
      { id: sent, state: 'sent', is_due: false },
      { id: later, state: 'pending', is_due: true },
    ]);
  });

  it("passes the copies of both directories to Auth's command, and makes both compare all users", async () => {
    for (const service of ['tasks', 'notifications'] as const) {
      await sql(
        service,
        `INSERT INTO directory_users (id, email, email_verified, name, role, version, updated_at, fetched_at)
         VALUES ($1, $2, true, 'Lost', 'admin', 3, now(), now())`,
        [randomUUID(), `lost-in-${service}@example.org`],
      );
      await sql(service, 'UPDATE directory_reconciliation SET full_completed_at = now()');
    }
    await restore('auth');
    const { code, stdout, stderr } = await restored('auth');
    expect([code, stderr]).to.deep.equal([0, '']);
    for (const service of ['tasks', 'notifications'])
      expect(stdout).to.match(new RegExp(`^created .* lost-in-${service}@example\\.org .*known to ${service};`, 'm'));
    expect(await sql('auth', 'SELECT DISTINCT role FROM users')).to.deep.equal([{ role: 'member' }]);
    expect(await epochOf('auth')).to.deep.equal({ is_published: true });
    for (const service of ['tasks', 'notifications'] as const)
      expect(
        await sql(service, 'SELECT FROM directory_reconciliation WHERE full_completed_at IS NULL'),
        service,
      ).to.have.length(1);
  });

  it('refuses while the service runs, whose access or mails it is about to change', async () => {
    for (const service of ['auth', 'notifications'] as const) {
      await restore(service);
      const running = await connect(service, `taskwire ${service}`);
      try {
        const { code, stderr } = await restored(service);
        expect([code, stderr.trim()]).to.deep.equal([
          1,
          `${service} is running (${sessionName(`taskwire ${service}`)}). Stop it first.`,
        ]);
      } finally {
        await running.close();
      }
    }
  });
});
