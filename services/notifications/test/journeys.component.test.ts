import { randomUUIDv7 } from 'node:crypto';
import { notificationsRoutes, type NotificationJourney } from '@taskwire/contracts';
import { expect } from 'chai';
import { eventually, serviceHarness } from './support/service-harness.ts';

const { path, responses } = notificationsRoutes.listNotificationJourney;

describe('Journeys of notifications', () => {
  const o = serviceHarness();

  async function journey(taskId: string): Promise<NotificationJourney[]> {
    const token = await o.around.others.userToken(o.around.others.addUser('Ada', 'admin'));
    const { body } = await o.service.call('GET', path.replace('{task_id}', taskId), { token });
    return responses[200].parse(body).data;
  }

  it('have every step from the message to the sent mail, in order', async () => {
    const messageId = await o.around.publish('tasks.task.assigned', o.assigned());
    await o.mailed(({ to }) => to.includes(o.ann.email));
    const entry = await eventually(async () => {
      const [first] = await journey(o.task.id);
      return first?.notifications[0]?.deliveries.every(({ state }) => state === 'sent') === true && first;
    });
    expect(entry).to.include({ message_id: messageId, event: 'tasks.task.assigned', state: 'done' });
    const [notification, ...others] = entry.notifications;
    expect(others).to.deep.equal([]);
    expect(notification).to.include({ user_id: o.ann.id, type: 'task.assigned' });
    const [email, inApp] = notification!.deliveries;
    expect([email?.channel, inApp?.channel]).to.deep.equal(['email', 'in_app']);
    const { started_at, handed_over_at, ended_at, outcome } = email!.attempts[0]!;
    expect(outcome).to.equal('sent');
    const steps = [entry.consumed_at, notification!.planned_at, started_at, handed_over_at, ended_at].map(String);
    expect(steps).to.deep.equal(steps.toSorted());
    expect(new Set(steps).size).to.equal(5);
    const [committed] = inApp!.attempts;
    const inside = [notification!.planned_at, committed!.started_at, committed!.ended_at].map(String);
    expect(inside).to.deep.equal(inside.toSorted());
  });

  it('of a task have the mails about its comments, also under the id of the comment alone', async () => {
    const author = o.around.others.addUser('Ada', 'admin');
    const comment = { comment_uuid: crypto.randomUUID(), author: author.id };
    await o.around.publish('tasks.comment.added', { ...o.fact(author), ...comment, mentions: [] });
    await o.mailed(({ to }) => to.includes(o.mia.email));
    const notifications = await eventually(async () => {
      const [entry] = await journey(o.task.id);
      const found = entry?.notifications ?? [];
      return found.some(({ deliveries }) => deliveries.every(({ state }) => state === 'sent')) && found;
    });
    expect(notifications.map(({ type, user_id }) => [type, user_id])).to.deep.include(['comment.added', o.mia.id]);
    const [entry, ...others] = await journey(o.task.id);
    expect([entry?.event, entry?.comment_id, others]).to.deep.equal(['tasks.comment.added', comment.comment_uuid, []]);
    expect(await journey(comment.comment_uuid)).to.deep.equal([entry]);
  });

  it('list an event that notifies no one, which shows that it is not stuck, for the id in either case', async () => {
    await o.around.publish('tasks.task.completed', { ...o.fact(o.mia), assigned_to: o.mia.id });
    const [entry] = await eventually(async () => {
      const entries = await journey(o.task.id.toUpperCase());
      return entries.length > 0 && entries;
    });
    expect(entry).to.deep.include({ event: 'tasks.task.completed', state: 'done', notifications: [] });
  });

  it('show an event that waits for a service, with the reason', async () => {
    o.around.others.down.add('tasks');
    await o.around.publish('tasks.task.assigned', o.assigned());
    const entry = await eventually(async () => {
      const [first] = await journey(o.task.id);
      return first?.last_error != null && first;
    });
    expect(entry.state).to.be.oneOf(['retry', 'running']);
    expect(entry.next_attempt_at).to.be.a('string');
    expect(entry.notifications).to.deep.equal([]);
  });

  it('are empty for a task of which no event has arrived', async () => {
    expect(await journey(randomUUIDv7())).to.deep.equal([]);
  });
});
