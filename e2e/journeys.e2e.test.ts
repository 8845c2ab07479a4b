import { execFile } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { notificationsRoutes, tasksRoutes } from '@taskwire/contracts';
import { waitFor } from '@taskwire/testing';
import { demoPerson, newMember, type Person, type Task } from './front-end.ts';
import { useSuite } from './suite.ts';

const logsCommand = fileURLToPath(new URL('../tools/cli/logs/logs.ts', import.meta.url));

type Line = { service: string; message: string; request_id?: string; message_id?: string; task_id?: string };

describe('The journey of a task, through the gateway', () => {
  const suite = useSuite();
  let manager: Person;
  let admin: Person;
  let performer: Person;
  before(async () => {
    manager = await demoPerson(suite(), 'manager');
    admin = await demoPerson(suite(), 'admin');
    performer = await newMember(suite(), 'Jo Journey');
  });

  /** The journey, once its last step has been taken. */
  async function arrived(taskId: string) {
    return await waitFor(async () => {
      const [tasks, notifications] = await Promise.all(
        ['tasks', 'notifications'].map(
          async (service) => (await admin.call('GET', `/api/v1/admin/journeys/${service}/${taskId}`)).body,
        ),
      );
      const events = tasksRoutes.listTaskJourney.responses[200].parse(tasks).data;
      const messages = notificationsRoutes.listNotificationJourney.responses[200].parse(notifications).data;
      const deliveries = messages.flatMap((one) =>
        one.notifications.flatMap((notification) => notification.deliveries),
      );
      const isMailed = deliveries.length === 2 && deliveries.every(({ state }) => state === 'sent');
      return isMailed && events.every(({ state }) => state === 'confirmed') && { events, messages };
    });
  }

  async function linesAbout(...args: string[]): Promise<Line[]> {
    const env = { ...process.env, TASKWIRE_LOCAL_DIR: dirname(dirname(suite().process('tasks').logFile() ?? '')) };
    const { stdout } = await promisify(execFile)(process.execPath, [logsCommand, ...args, '--json'], { env });
    return stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);
  }

  it('is the same in the rows of two services and in the log lines of all, with the same ids, in the same order', async () => {
    const { body: task, headers } = await manager.call<Task>('POST', '/api/v1/tasks', {
      title: 'Follow the river',
      assignee_id: performer.user.id,
    });
    const { events, messages } = await arrived(task.id);
    const requestId = headers.get('x-request-id');
    for (const one of [...events, ...messages]) expect(one.request_id).to.equal(requestId);

    const [assigned] = messages;
    const event = events.find(({ event: type }) => type === 'tasks.task.assigned')!;
    const [notification] = assigned!.notifications;
    const attempt = notification!.deliveries.find(({ channel }) => channel === 'email')!.attempts[0]!;
    const { requested_at, created_at, published_at } = event;
    const steps = [
      ...[requested_at, created_at, published_at, assigned!.consumed_at, notification!.planned_at],
      ...[attempt.started_at, attempt.handed_over_at, attempt.ended_at],
    ].map(String);
    expect(steps).to.deep.equal(steps.toSorted());
    expect([assigned!.message_id, assigned!.created_at]).to.deep.equal([event.message_id, created_at]);

    const story = ['tasks: request', 'notifications: message handled', 'notifications: delivery attempt: sent'];
    const titlesOf = (lines: readonly Line[]) => lines.map(({ service, message }) => `${service}: ${message}`);
    // lines are written up to 10 ms after they were logged
    const about = await waitFor(async () => {
      const lines = await linesAbout('--task', task.id);
      return ['gateway: request', ...story].every((one) => titlesOf(lines).includes(one)) && lines;
    });
    const places = story.map((one) => titlesOf(about).indexOf(one));
    expect(places).to.deep.equal(places.toSorted((a, b) => a - b));
    for (const line of about.filter(({ message }) => story.some((one) => one.endsWith(`: ${message}`))))
      if (line.service !== 'gateway') expect(line.task_id, JSON.stringify(line)).to.equal(task.id);
    const handled = about.find(({ message }) => message === 'message handled');
    expect(handled).to.include({ message_id: event.message_id, request_id: requestId });

    const ofRequest = await linesAbout('--request', requestId ?? '');
    expect(titlesOf(ofRequest)).to.include.members(['gateway: request', ...story]);
  });
});
