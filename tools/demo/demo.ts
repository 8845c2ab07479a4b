// npm run demo: the main flow against the running suite, one line for each event
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { errorText } from '@taskwire/errors';
import { demoPassword } from '../../infra/local/people.ts';
import { localFolder, readRunning } from '../../infra/local/running-file.ts';
import { apiOf, type Notification, type Session, type Task, type User } from './api.ts';
import { watchEvents } from './events.ts';
import { mailsTo } from './mails.ts';

const patienceMs = 15_000;

const running = readRunning(join(localFolder(), 'running.json'));
if (running?.ready === undefined) {
  console.error(
    running
      ? 'The suite is still starting; try again in a moment.'
      : 'The suite is not running. Start it in another terminal: npm start',
  );
  process.exit(1);
}
const { mailPageUrl, operatorAmqpUrl } = running.ready;
const call = apiOf(running.url);

let began = performance.now();
const say = (kind: string, text: string) => {
  console.log(`${`+${(performance.now() - began).toFixed(0)} ms`.padStart(9)}  ${kind.padEnd(12)}  ${text}`);
};
const step = (title: string) => {
  console.log(`\n${title}`);
  began = performance.now();
};

const events = await watchEvents(operatorAmqpUrl, ({ key, payload }) =>
  say('event', `${key}  ${JSON.stringify(payload)}`),
);
try {
  await mainFlow();
} catch (error) {
  console.error(`\nThe flow stopped here: ${errorText(error)}`);
  process.exitCode = 1;
} finally {
  await events.close();
}

async function mainFlow(): Promise<void> {
  const stamp = new Date().toISOString().slice(11, 19);

  step('1. Users log in');
  const manager = await logIn('manager@taskwire.test');
  const ann = await logIn('ann@taskwire.test');
  const admin = await logIn('admin@taskwire.test');

  step('2. The manager creates a task and assigns it to Ann');
  const task = await request<Task>(manager, 'POST', '/api/v1/tasks', {
    title: `Paint the fence (${stamp})`,
    assignee_id: ann.user.id,
  });
  await about('tasks.task.assigned', task);
  await waitForNotification(ann, task, 'task.assigned');

  step('3. Ann starts it');
  await request<Task>(ann, 'POST', `/api/v1/tasks/${task.id}/transition`, { state: 'in_progress' });
  await about('tasks.task.started', task);
  await notified(manager, task, 'task.started');

  step('4. Ann completes it; the manager, who created it, is notified');
  await request<Task>(ann, 'POST', `/api/v1/tasks/${task.id}/transition`, { state: 'completed' });
  await about('tasks.task.completed', task);
  await waitForNotification(manager, task, 'task.completed');

  step('5. The manager has a performer chosen at random, the least loaded first');
  const random = await request<Task>(manager, 'POST', '/api/v1/tasks', {
    title: `Water the plants (${stamp})`,
    assign: 'random',
  });
  await about('tasks.task.assigned', random);
  say('assigned', `to ${random.assignee?.name}`);

  step('6. The admin creates an account for Dan, and the manager assigns him a task');
  const email = `dan-${Date.now()}@taskwire.test`;
  const account = { email, name: 'Dan', role: 'member', password: demoPassword };
  const dan = await request<User>(admin, 'POST', '/api/v1/users', account);
  await events.next('auth.user.created', (payload) => payload.user_id === dan.id);
  const dans = await until(`Tasks to know Dan`, () =>
    request<Task>(manager, 'POST', '/api/v1/tasks', { title: `Fix the door (${stamp})`, assignee_id: dan.id }),
  );
  await about('tasks.task.assigned', dans);
  await mailed(email, dans);

  step('7. The admin deletes Dan; his open task goes to another performer');
  say('request', `DELETE /api/v1/users/${dan.id} (Ada Admin)`);
  await call('DELETE', `/api/v1/users/${dan.id}`, { token: admin.access_token, ifMatch: '*' });
  await events.next('auth.user.deleted', (payload) => payload.user_id === dan.id);
  await about('tasks.task.unassigned', dans);
  await events.next(
    'tasks.task.assigned',
    (payload) => payload.task_uuid === dans.id && payload.assigned_to !== dan.id,
  );
  const moved = await call<Task>('GET', `/api/v1/tasks/${dans.id}`, { token: manager.access_token });
  say('assigned', `to ${moved.assignee?.name}`);

  console.log(`\nThe main flow is complete.${mailPageUrl === undefined ? '' : ` The mails: ${mailPageUrl}`}`);
}

async function logIn(email: string): Promise<Session> {
  const password = demoPassword;
  const session = await call<Session>('POST', '/api/v1/auth/login', { body: { email, password } });
  say('request', `POST /api/v1/auth/login → ${session.user.name}, ${session.user.role}`);
  return session;
}

async function request<T extends Task | User>(by: Session, method: string, path: string, body: object): Promise<T> {
  say('request', `${method} ${path} (${by.user.name}) ${JSON.stringify({ ...body, password: undefined })}`);
  const answer = await call<T>(method, path, { token: by.access_token, body });
  say('answer', summary(answer));
  return answer;
}

function summary(answer: Task | User): string {
  if (!('state' in answer)) return `user ${answer.id}: ${answer.name}, ${answer.role}`;
  return `task ${answer.id}: ${answer.state}, assignee ${answer.assignee?.name ?? 'none'}`;
}

async function about(key: string, task: Task): Promise<void> {
  await events.next(key, (payload) => payload.task_uuid === task.id);
}

async function waitForNotification(person: Session, task: Task, type: string): Promise<void> {
  await Promise.all([notified(person, task, type), mailed(person.user.email, task)]);
}

async function notified(person: Session, task: Task, type: string): Promise<void> {
  const found = await until(`a notification ${type} for ${person.user.name}`, async () => {
    const { data } = await call<{ data: Notification[] }>('GET', '/api/v1/notifications?unread=true', {
      token: person.access_token,
    });
    return data.find((one) => one.task_id === task.id && one.type === type);
  });
  say('notification', `${person.user.name}: ${found.title}`);
}

async function mailed(address: string, task: Task): Promise<void> {
  if (mailPageUrl === undefined) return say('e-mail', `${address}: through an external SMTP server`);
  const seen = await until(`an e-mail to ${address}`, async () => {
    const mails = await mailsTo(mailPageUrl, address);
    return mails.find((mail) => `${mail.subject} ${mail.text}`.includes(task.title));
  });
  say('e-mail', `${address}: ${seen.subject}`);
}

/** Checks every 10 ms, so that the printed times are meaningful. A failed try counts as "not yet". */
async function until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + patienceMs;
  let fault: unknown;
  while (performance.now() < deadline) {
    try {
      const found = await ask();
      if (found !== undefined) return found;
    } catch (error) {
      fault = error;
    }
    await delay(10);
  }
  throw new Error(`Waited ${patienceMs} ms for ${what}.`, { cause: fault });
}
