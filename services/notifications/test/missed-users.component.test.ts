import { randomUUIDv7 } from 'node:crypto';
import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { createRabbit, publishOnlyTopology, type Rabbit } from '@taskwire/rabbit';
import { createTelemetry } from '@taskwire/telemetry';
import { silent } from '@taskwire/testing';
import { eventually } from './support/service-harness.ts';
import type { FakeUser } from './support/fake-services.ts';
import { startService, startSurroundings, type RunningService, type Surroundings } from './support/running-service.ts';

const queue = 'notifications.events';

describe("A user created while the queue's binding was missing", function () {
  this.timeout(60_000);
  let around: Surroundings;
  let service: RunningService;
  let auth: Rabbit;

  before(async () => {
    around = await startSurroundings();
    around.others.addUser('From before');
    service = await startService(around, { SMTP_URL: 'smtp://127.0.0.1:9' }, { verifyEveryMs: 50 });
    const telemetry = createTelemetry({ service: 'auth', stream: silent() });
    auth = createRabbit({ url: around.broker.url('auth'), name: 'auth', telemetry, topology: publishOnlyTopology });
    auth.publisher();
    await auth.start();
    const filled = async () =>
      (await query(around.database.db.pool, 'SELECT FROM directory_reconciliation WHERE completed_at IS NOT NULL'))
        .length > 0;
    await eventually(filled);
  });
  after(async () => {
    await auth.stop();
    await service.stop();
    await around.stop();
  });

  const created = (user: FakeUser) => ({ user_id: user.id, timestamp: new Date().toISOString() });

  /** Publishes the creation as Auth does, once. Returns `returned` while the queue is not bound. */
  async function publishOnce(user: FakeUser): Promise<'confirmed' | 'returned'> {
    return await auth.publisher().publish({
      messageId: randomUUIDv7(),
      routingKey: 'auth.user.created',
      body: Buffer.from(JSON.stringify(created(user))),
      headers: { schema_version: 1, aggregate_id: user.id },
      timestamp: Math.floor(Date.now() / 1000),
      appId: 'auth',
    });
  }

  /** Adds a user whose creation event no queue of this service received. */
  async function missedUser(): Promise<FakeUser> {
    return await eventually(async () => {
      const user = around.others.addUser('Ann');
      const { management, vhost } = around.broker;
      await management
        .call('DELETE', `/bindings/${vhost}/e/taskwire.events/q/${queue}/auth.user.%2A`)
        .catch(() => undefined);
      return (await publishOnce(user)) === 'returned' ? user : undefined;
    });
  }

  async function reconcile(): Promise<void> {
    await query(
      around.database.db.pool,
      "UPDATE directory_reconciliation SET completed_at = completed_at - interval '1 hour'",
    );
    while ((await service.parts.directory.reconciler.tick()) === 'more');
  }

  const welcomes = async ({ id }: FakeUser) =>
    await query(around.database.db.pool, "SELECT FROM notifications WHERE user_id = $1 AND type = 'user.welcome'", [
      id,
    ]);

  const missed = async () =>
    /user_directory_missed_users_total\{.*\} (\d+)/.exec(await service.parts.telemetry.metrics.metrics())?.[1];

  it('is welcomed exactly once, by the reconciliation, although the event arrives later', async () => {
    const user = await missedUser();
    // the check has bound the queue again
    const ben = around.others.addUser('Ben');
    const id = await around.publish('auth.user.created', created(ben));
    await eventually(async () => (await welcomes(ben)).length === 1);
    expect(await welcomes(user)).to.have.length(0);
    await reconcile();
    expect(await welcomes(user)).to.have.length(1);
    const before = await missed();

    const late = await around.publish('auth.user.created', created(user));
    const handled = 'SELECT FROM inbox WHERE message_id = ANY ($1) AND handler = $2';
    await eventually(async () => (await query(around.database.db.pool, handled, [[id, late], 'welcome'])).length === 2);
    await reconcile();
    expect(await welcomes(user)).to.have.length(1);
    expect(await welcomes(ben)).to.have.length(1);
    expect(await missed()).to.equal(before);
    expect(Number(before)).to.be.at.least(1);
  });

  it('does not welcome users who existed before this service', async () => {
    await reconcile();
    for (const user of around.others.users.values())
      if (user.name === 'From before') expect(await welcomes(user)).to.have.length(0);
  });
});
