import { setTimeout as delay } from 'node:timers/promises';
import { apiOf, type Notification, type Session, type Task } from './api.ts';

/** An account of the installation. */
export type Account = { email: string; password: string };

export type Smoke = { url: string; manager: Account; member: Account; passed: (step: string) => void };

/** A notification takes milliseconds; after a rollout, consumers need up to five seconds to take over, and this is three times that. */
const patienceMs = 15_000;

/** Runs the main flow through the public API. @throws at the first step that fails. */
export async function runSmoke({ url, manager, member, passed }: Smoke): Promise<void> {
  const call = apiOf(url);
  const logIn = async (account: Account) => await call<Session>('POST', '/api/v1/auth/login', { body: account });
  const [boss, performer] = [await logIn(manager), await logIn(member)];
  passed(`${boss.user.role} and ${performer.user.role} log in`);

  const title = `Smoke test ${new Date().toISOString()}`;
  const task = await call<Task>('POST', '/api/v1/tasks', {
    token: boss.access_token,
    body: { title, assignee_id: performer.user.id },
  });
  passed('a task is created and assigned');
  const path = `/api/v1/tasks/${task.id}`;
  const moveTo = async (state: string) =>
    await call<Task>('POST', `${path}/transition`, { token: performer.access_token, body: { state } });
  const notified = async (session: Session, type: string) => {
    const deadline = performance.now() + patienceMs;
    while (performance.now() < deadline) {
      const { data } = await call<{ data: Notification[] }>('GET', '/api/v1/notifications?unread=true', {
        token: session.access_token,
      });
      if (data.some((one) => one.task_id === task.id && one.type === type)) return;
      await delay(100);
    }
    throw new Error(`no notification ${type} within ${patienceMs / 1000} s`);
  };
  try {
    await notified(performer, 'task.assigned');
    passed('the performer is notified');
    const refusal = await moveTo('completed').then(
      () => 'nothing',
      (error: unknown) => String(error),
    );
    if (!refusal.includes('illegal_transition')) throw new Error(`an illegal transition got ${refusal}`);
    passed('an illegal transition is refused');
    await moveTo('in_progress');
    const { state } = await moveTo('completed');
    if (state !== 'completed') throw new Error(`the task is ${state}, not completed`);
    await notified(boss, 'task.completed');
    passed('the task is completed, and its creator is notified');
  } finally {
    await call('DELETE', path, { token: boss.access_token, ifMatch: '*' });
  }
  passed('the task is deleted');
}
