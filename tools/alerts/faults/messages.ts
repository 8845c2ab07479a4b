import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { connect as connectBroker } from 'amqplib';
import { relayLock } from '@taskwire/partitions';
import { rabbitCommand, rabbitManagement } from '@taskwire/process-supervisor';
import type { Fault } from '../fault.ts';
import { until, type World } from '../world.ts';

const run = promisify(execFile);
const taskwire = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

/** Faults of events and their relay in Auth, which do not affect the main flow. */
export const relayFaults: readonly Fault[] = [
  {
    title: 'a session holds the lock of the relay',
    alerts: ['OutboxHasNoLeader'],
    async begin({ connect }) {
      const holding = await connect('auth');
      // waits for the lock, and so gets it before the next leader
      const held = holding.query(`SELECT pg_advisory_lock(${relayLock})`);
      const ending = await connect('auth');
      await ending.query(
        `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
           AND ((classid::bigint << 32) | objid::bigint) = ${relayLock}`,
      );
      await ending.end();
      await held;
      return async () => await holding.end();
    },
  },
  {
    title: 'the login of Auth may publish nothing',
    alerts: ['EventsAreBlocked', 'OutboxIsLate'],
    patienceMs: 75_000,
    async begin({ suite, call }) {
      const management = rabbitManagement(suite.managementUrl);
      const path = '/topic-permissions/taskwire/auth';
      const permissions = await management.call<{ exchange: string; write: string; read: string }[]>('GET', path);
      const set = async (write: string) => {
        for (const { exchange, read } of permissions) await management.call('PUT', path, { exchange, write, read });
      };
      await set('^$');
      const me = await call('ben', 'GET', '/api/v1/users/me');
      await call('ben', 'PATCH', `/api/v1/users/${String(me.body['id'])}`, { name: 'Benjamin' });
      return async () => {
        for (const { exchange, read, write } of permissions)
          await management.call('PUT', path, { exchange, write, read });
      };
    },
  },
];

/** Tasks is attached to its queue and healthy, but receives nothing. */
export const takenQueue: Fault = {
  title: 'another program is the active consumer of the queue of Tasks, and acknowledges nothing',
  alerts: ['InboxIsStuck'],
  async begin({ suite, call }) {
    const connection = await connectBroker(suite.amqpUrl('operator'));
    const channel = await connection.createChannel();
    await channel.consume('tasks.events', () => undefined);
    // Tasks attaches again behind the other consumer
    const management = rabbitManagement(suite.managementUrl);
    const connections = await management.call<{ name: string; user: string }[]>(
      'GET',
      '/connections?columns=name,user',
    );
    for (const { name } of connections.filter(({ user }) => user === 'tasks'))
      await management.call('DELETE', `/connections/${encodeURIComponent(name)}`);
    const me = await call('cas', 'GET', '/api/v1/users/me');
    await call('cas', 'PATCH', `/api/v1/users/${String(me.body['id'])}`, { name: 'Casey' });
    return async () => await connection.close();
  },
};

/** Faults of messages that have no consequences for others. */
export const messageFaults: readonly Fault[] = [
  {
    title: 'an event that no service has published',
    alerts: ['DeadLetters'],
    async begin({ suite, sql }) {
      const connection = await connectBroker(suite.amqpUrl('operator'));
      const channel = await connection.createConfirmChannel();
      const properties = {
        messageId: randomUUID(),
        type: 'auth.user.changed',
        contentType: 'application/json',
        persistent: true,
      };
      channel.publish('taskwire.events', 'auth.user.changed', Buffer.from('{}'), properties);
      await channel.waitForConfirms();
      await connection.close();
      return async () => {
        for (const service of ['tasks', 'notifications'] as const) {
          await until(async () => ((await sql(service, 'SELECT FROM dead_letters')).rowCount ?? 0) > 0);
          await dropDeadLetters(suite, service);
        }
      };
    },
  },
  {
    title: 'the policy of a queue was changed',
    alerts: ['BrokerDefinitionsAreLost'],
    // services look for it every 30 s
    patienceMs: 60_000,
    async begin({ suite }) {
      const management = rabbitManagement(suite.managementUrl);
      const path = '/policies/taskwire/tasks.events';
      const policy = await management.call<{ definition: Record<string, unknown> }>('GET', path);
      const { 'delivery-limit': _, ...definition } = policy.definition;
      await management.call('PUT', path, { ...policy, definition });
      return async () => await management.call('PUT', path, policy);
    },
  },
  {
    title: 'RabbitMQ has little disk space left',
    alerts: ['BrokerDiskIsLow'],
    async begin(world) {
      await rabbitCommand(world.broker, 'set_disk_free_limit', String(Math.round((await freeBytes(world)) / 2)));
      return async () => await rabbitCommand(world.broker, 'set_disk_free_limit', '50MB');
    },
  },
];

/** Faults of the mail server. */
export const mailFaults: readonly Fault[] = [
  {
    title: 'the mail server breaks connections when a mail has arrived',
    alerts: ['MailsAreUnknown'],
    async begin(world) {
      world.setMail('break');
      await assign(world);
      return async () => {
        world.setMail('accept');
        // an operator found out that they have not arrived
        await world.sql(
          'notifications',
          `UPDATE deliveries SET state = 'failed', next_attempt_at = NULL WHERE state = 'unknown'`,
        );
      };
    },
  },
  {
    title: 'the mail server has been down for an hour (dated back)',
    alerts: ['MailsAreLate'],
    patienceMs: 60_000,
    async begin(world) {
      world.setMail('refuse');
      await assign(world);
      const date = `UPDATE deliveries SET created_at = created_at - interval '61 minutes' WHERE state = 'pending' AND next_attempt_at IS NOT NULL`;
      await until(async () => ((await world.sql('notifications', date)).rowCount ?? 0) > 0);
      return async () => {
        world.setMail('accept');
        await world.sql(
          'notifications',
          `UPDATE deliveries SET next_attempt_at = clock_timestamp() WHERE state = 'pending'`,
        );
      };
    },
  },
];

/** RabbitMQ stops reading from publishers. This fault has consequences, so no other fault runs at the same time. */
export const blockedBroker: Fault = {
  title: 'RabbitMQ has no disk space left',
  alerts: ['BrokerBlocksPublishers'],
  isCause: true,
  async begin(world) {
    await rabbitCommand(world.broker, 'set_disk_free_limit', String(Math.round((await freeBytes(world)) * 10)));
    return async () => await rabbitCommand(world.broker, 'set_disk_free_limit', '50MB');
  },
};

async function dropDeadLetters(suite: World['suite'], service: 'tasks' | 'notifications'): Promise<void> {
  const env = { ...process.env, [`${service.toUpperCase()}_DATABASE_URL`]: suite.databaseUrl(service) };
  const why = ['--because', 'the drill of the alerts'];
  const args = [taskwire, 'dead-letters', 'drop', service, '--reason', 'unknown_schema_version', ...why];
  await run(process.execPath, args, { env });
}

async function freeBytes({ suite }: World): Promise<number> {
  const nodes = await rabbitManagement(suite.managementUrl).call<{ disk_free: number }[]>('GET', '/nodes');
  return nodes[0]?.disk_free ?? 0;
}

async function assign({ call }: World): Promise<void> {
  const me = await call('ann', 'GET', '/api/v1/users/me');
  await call('manager', 'POST', '/api/v1/tasks', { title: 'Water the plants', assignee_id: me.body['id'] });
}
