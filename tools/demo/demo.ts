// npm run demo: the main flow against the running suite, one line for each event
import { join } from 'node:path';
import { isProblem, type types } from '@taskwire/client';
import { errorText } from '@taskwire/errors';
import { demoPassword } from '../../infra/local/people.ts';
import { localFolder, readRunning } from '../../infra/local/running-file.ts';
import { watchEvents } from './events.ts';
import { hasArrived, journeyLines, type Journey } from './journey.ts';
import { mailsTo } from './mails.ts';
import { logIn, type Person } from './person.ts';
import { until } from './until.ts';

/** Short, so that the printed times are meaningful. */
const everyMs = 10;

const running = readRunning(join(localFolder(), 'running.json'));
if (running?.ready === undefined) {
  console.error(
    running
      ? 'The suite is still starting; try again in a moment.'
      : 'The suite is not running. Start it in another terminal: npm start',
  );
  process.exit(1);
}
const { url } = running;
const { mailPageUrl, operatorAmqpUrl } = running.ready;

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
  const manager = await loggedIn('manager@taskwire.test');
  const ann = await loggedIn('ann@taskwire.test');
  const admin = await loggedIn('admin@taskwire.test');

  step('2. The manager creates a task and assigns it to Ann');
  const task = await created(manager, { title: `Paint the fence (${stamp})`, assignee_id: ann.user.id });
  await about('tasks.task.assigned', task);
  await waitForNotification(ann, task, 'task.assigned');

  step('3. Ann starts it');
  await moved(ann, task, 'in_progress');
  await about('tasks.task.started', task);
  await notified(manager, task, 'task.started');

  step('4. Ann completes it; the manager, who created it, is notified');
  await moved(ann, task, 'completed');
  await about('tasks.task.completed', task);
  await waitForNotification(manager, task, 'task.completed');

  step('5. The manager has a performer chosen at random, the least loaded first');
  const random = await created(manager, { title: `Water the plants (${stamp})`, assign: 'random' });
  await about('tasks.task.assigned', random);
  say('assigned', `to ${random.assignee?.name}`);

  step('6. The admin creates an account for Dan, and the manager assigns him a task');
  const email = `dan-${Date.now()}@taskwire.test`;
  const account = { email, name: 'Dan', role: 'member' as const };
  say('request', `users.create ${JSON.stringify(account)} (${admin.user.name})`);
  const dan = await admin.tw.users.create({ ...account, password: demoPassword });
  say('answer', `user ${dan.id}: ${dan.name}, ${dan.role}`);
  await events.next('auth.user.created', (payload) => payload.user_id === dan.id);
  const dans = await until('task for Dan, whom Tasks must know,', everyMs, async () =>
    created(manager, { title: `Fix the door (${stamp})`, assignee_id: dan.id }).catch((error: unknown) => {
      if (!isProblem(error, 'createTask', 'unknown_assignee')) throw error;
      return undefined;
    }),
  );
  await about('tasks.task.assigned', dans);
  await mailed(email, dans);

  step('7. The admin deletes Dan; his open task goes to another performer');
  say('request', `users.delete ${dan.id} (${admin.user.name})`);
  await admin.tw.users.delete(dan.id, { ifMatch: dan.version });
  await events.next('auth.user.deleted', (payload) => payload.user_id === dan.id);
  await about('tasks.task.unassigned', dans);
  await events.next(
    'tasks.task.assigned',
    (payload) => payload.task_uuid === dans.id && payload.assigned_to !== dan.id,
  );
  const { assignee } = await manager.tw.tasks.get(dans.id);
  say('assigned', `to ${assignee?.name}`);

  step('8. The admin reads the journey of the first task: every step, by the clocks of the databases');
  for (const line of journeyLines(await arrived(admin, task))) console.log(`           ${line}`);

  console.log(`\nThe main flow is complete.${mailPageUrl === undefined ? '' : ` The mails: ${mailPageUrl}`}`);
}

async function loggedIn(email: string): Promise<Person> {
  const person = await logIn(url, { email, password: demoPassword });
  say('request', `login → ${person.user.name}, ${person.user.role}`);
  return person;
}

async function arrived({ tw }: Person, { id }: Task): Promise<Journey> {
  return await until('complete journey', everyMs, async () => {
    const [events, messages] = await Promise.all([tw.journeys.task(id), tw.journeys.notifications(id)]);
    const journey = { events: events.data, messages: messages.data };
    return hasArrived(journey) ? journey : undefined;
  });
}

type Task = Awaited<ReturnType<Person['tw']['tasks']['get']>>;

async function created({ tw, user }: Person, body: types.CreateTaskRequest): Promise<Task> {
  say('request', `tasks.create ${JSON.stringify(body)} (${user.name})`);
  return answered(await tw.tasks.create(body));
}

async function moved({ tw, user }: Person, { id }: Task, state: 'in_progress' | 'completed'): Promise<void> {
  say('request', `tasks.transition ${id} ${JSON.stringify({ state })} (${user.name})`);
  answered(await tw.tasks.transition(id, { state }));
}

function answered(task: Task): Task {
  say('answer', `task ${task.id}: ${task.state}, assignee ${task.assignee?.name ?? 'none'}`);
  return task;
}

async function about(key: string, task: Task): Promise<void> {
  await events.next(key, (payload) => payload.task_uuid === task.id);
}

async function waitForNotification(person: Person, task: Task, type: string): Promise<void> {
  await Promise.all([notified(person, task, type), mailed(person.user.email, task)]);
}

async function notified({ tw, user }: Person, task: Task, type: string): Promise<void> {
  const found = await until(`notification ${type} for ${user.name}`, everyMs, async () => {
    const { data } = await tw.notifications.list({ unread: 'true' });
    return data.find((one) => one.task_id === task.id && one.type === type);
  });
  say('notification', `${user.name}: ${found.title}`);
}

async function mailed(address: string, task: Task): Promise<void> {
  if (mailPageUrl === undefined) return say('e-mail', `${address}: through an external SMTP server`);
  const seen = await until(`e-mail to ${address}`, everyMs, async () => {
    const mails = await mailsTo(mailPageUrl, address);
    return mails.find((mail) => `${mail.subject} ${mail.text}`.includes(task.title));
  });
  say('e-mail', `${address}: ${seen.subject}`);
}
