import { isProblem, type types } from '@taskwire/client';
import { logIn, type Account, type Person } from './person.ts';
import { until } from './until.ts';

export type Smoke = { url: string; manager: Account; member: Account; passed: (step: string) => void };

/** Few requests, since an installation limits them. */
const everyMs = 100;

/** Runs the main flow through the public API. @throws at the first step that fails. */
export async function runSmoke({ url, manager, member, passed }: Smoke): Promise<void> {
  const [boss, performer] = [await logIn(url, manager), await logIn(url, member)];
  passed(`${boss.user.role} and ${performer.user.role} log in`);

  const title = `Smoke test ${new Date().toISOString()}`;
  const { id } = await boss.tw.tasks.create({ title, assignee_id: performer.user.id });
  passed('a task is created and assigned');
  const moveTo = async (state: 'in_progress' | 'completed') => await performer.tw.tasks.transition(id, { state });
  const notified = async ({ tw }: Person, type: types.Notification['type']) =>
    await until(`notification ${type}`, everyMs, async () => {
      const { data } = await tw.notifications.list({ unread: 'true' });
      return data.find((one) => one.task_id === id && one.type === type);
    });
  try {
    await notified(performer, 'task.assigned');
    passed('the performer is notified');
    const refusal = await moveTo('completed').catch((error: unknown) => error);
    if (!isProblem(refusal, 'transitionTask', 'illegal_transition')) {
      throw new Error(`an illegal transition got ${refusal instanceof Error ? String(refusal) : 'no refusal'}`);
    }
    passed('an illegal transition is refused');
    await moveTo('in_progress');
    const { state } = await moveTo('completed');
    if (state !== 'completed') throw new Error(`the task is ${state}, not completed`);
    await notified(boss, 'task.completed');
    passed('the task is completed, and its creator is notified');
  } finally {
    await boss.tw.tasks.delete(id, { ifMatch: '*' });
  }
  passed('the task is deleted');
}
