import { spawn, type ChildProcess } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { query } from '@taskwire/postgres';
import { programEnv } from '@taskwire/testing';
import { startSurroundings, type Surroundings } from './running-service.ts';
import { scriptedSmtp, type ScriptedSmtp } from './scripted-smtp.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** Registers the hooks of a describe whose tests start Notifications as a process, kill it with SIGKILL and start it again. */
export function useKillableService() {
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

  /** A separate process, as in production. */
  function start(): void {
    running = spawn(process.execPath, [main], {
      stdio: 'ignore',
      env: {
        ...programEnv(),
        PORT: '0',
        DRAIN_MS: '0',
        DATABASE_URL: around.database.url,
        AMQP_URL: around.broker.url('notifications'),
        ISSUER: around.others.issuer,
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
  /** Lets all leases expire. */
  const passTime = async () =>
    await query(
      around.database.db.pool,
      'UPDATE deliveries SET next_attempt_at = now() WHERE next_attempt_at IS NOT NULL',
    );

  return { around: () => around, smtp: () => smtp, start, kill, assign, states, passTime };
}
