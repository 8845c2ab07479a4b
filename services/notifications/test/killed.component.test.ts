import { spawn, type ChildProcess } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { query } from '@taskwire/postgres';
import { programEnv, waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import { issuer } from './support/fake-services.ts';
import { startSurroundings, type Surroundings } from './support/running-service.ts';
import { scriptedSmtp, type ScriptedSmtp } from './support/scripted-smtp.ts';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

describe('Notifications, killed with SIGKILL and started again', function () {
  // each test starts two processes, which takes its time on a busy machine
  this.timeout(60_000);

  let around: Surroundings;
  let smtp: ScriptedSmtp;
  let running: ChildProcess | undefined;

  before(async () => {
    around = await startSurroundings();
  });
  after(async () => {
    await around.stop();
  });
  beforeEach(async () => {
    smtp = await scriptedSmtp();
  });
  afterEach(async () => {
    await kill();
    await smtp.stop();
  });

  /** A process of its own, as in production. */
  function start(): void {
    running = spawn(process.execPath, [main], {
      stdio: 'ignore',
      env: {
        ...programEnv(),
        PORT: '0',
        DATABASE_URL: around.database.url,
        AMQP_URL: around.broker.url('notifications'),
        ISSUER: issuer,
        AUTH_INTERNAL_URL: around.others.authUrl,
        TASKS_INTERNAL_URL: around.others.tasksUrl,
        CLIENT_ID: 'notifications',
        CLIENT_PRIVATE_KEY: generateKeyPairSync('ed25519')
          .privateKey.export({ type: 'pkcs8', format: 'pem' })
          .toString(),
        SMTP_URL: smtp.url,
        MAIL_FROM: 'no-reply@taskwire.test',
      },
    });
  }
  async function kill(): Promise<void> {
    if (running === undefined) return;
    const ended = once(running, 'exit');
    running.kill('SIGKILL');
    await ended;
    running = undefined;
  }

  async function assign() {
    const creator = around.others.addUser('Mia', 'manager');
    const performer = around.others.addUser('Ann');
    const task = around.others.addTask(creator, 'Paint the fence');
    await around.publish('tasks.task.assigned', {
      task_uuid: task.id,
      timestamp: new Date().toISOString(),
      actor: creator.id,
      assigned_to: performer.id,
    });
    return performer;
  }
  const states = async (userId: string) =>
    await query<{ type: string; state: string; outcomes: (string | null)[] }>(
      around.database.db.pool,
      `SELECT n.type, d.state, array(SELECT outcome FROM delivery_attempts WHERE delivery_id = d.id ORDER BY number) AS outcomes
       FROM notifications n JOIN deliveries d ON d.notification_id = n.id AND d.channel = 'email' WHERE n.user_id = $1`,
      [userId],
    );
  /** The time that a claim lasts is over. */
  const passTime = async () =>
    await query(
      around.database.db.pool,
      'UPDATE deliveries SET next_attempt_at = now() WHERE next_attempt_at IS NOT NULL',
    );

  it('before the e-mail was handed over: one notification, one e-mail', async () => {
    smtp.follow({ data: 'silence' });
    start();
    const performer = await assign();
    await waitFor(() => smtp.dataCommands() === 1, { timeoutMs: 20_000 });
    await kill();
    smtp.follow({});
    await passTime();
    start();
    await waitFor(() => smtp.arrived.length > 0, { timeoutMs: 20_000 });
    const [sent] = await waitFor(async () => {
      const rows = await states(performer.id);
      return rows[0]?.state === 'sent' && rows;
    });
    expect(sent).to.deep.equal({ type: 'task.assigned', state: 'sent', outcomes: ['abandoned', 'sent'] });
    expect(smtp.arrived).to.have.length(1);
  });

  it('after the server had the e-mail, before its answer: one notification, one e-mail, and a state that says so', async () => {
    smtp.follow({ end: () => 'silence' });
    start();
    const performer = await assign();
    await waitFor(() => smtp.arrived.length === 1, { timeoutMs: 20_000 });
    await kill();
    smtp.follow({});
    await passTime();
    start();
    const rows = await waitFor(
      async () => {
        const found = await states(performer.id);
        return found[0]?.state === 'unknown' && found;
      },
      { timeoutMs: 20_000 },
    );
    expect(rows).to.deep.equal([{ type: 'task.assigned', state: 'unknown', outcomes: ['unknown'] }]);
    expect(smtp.arrived).to.have.length(1);
  });

  it('while it handled the event: one notification, one e-mail', async () => {
    start();
    // so that the queue exists
    await assign();
    await waitFor(() => smtp.arrived.length === 1, { timeoutMs: 20_000 });
    around.others.down.add('tasks');
    const performer = await assign();
    await waitFor(() => around.others.requests.filter((request) => request.startsWith('GET /tasks/')).length > 1);
    await kill();
    around.others.down.clear();
    start();
    await waitFor(
      async () => {
        await query(
          around.database.db.pool,
          'UPDATE inbox_retries SET next_attempt_at = now() WHERE next_attempt_at > now() AND lease IS NULL',
        );
        return smtp.arrived.length > 1;
      },
      { timeoutMs: 20_000 },
    );
    const rows = await waitFor(async () => {
      const found = await states(performer.id);
      return found[0]?.state === 'sent' && found;
    });
    expect(rows).to.have.length(1);
    expect(smtp.arrived).to.have.length(2);
  });
});
