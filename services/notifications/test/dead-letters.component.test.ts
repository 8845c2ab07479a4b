import { expect } from 'chai';
import { notificationsRoutes } from '@taskwire/contracts';
import { eventually, office } from './support/office.ts';

const { listDeadLetters, replayDeadLetter } = notificationsRoutes;

describe('Dead letters of Notifications', () => {
  const o = office();

  it('tell people after all when what was missing is there, and are for admins', async () => {
    const { id: taskId } = o.task;
    const task = o.around.others.tasks.get(taskId)!;
    o.around.others.tasks.delete(taskId);
    const messageId = await o.around.publish('tasks.task.assigned', o.assigned());
    const token = await o.around.others.userToken(o.around.others.addUser('Ada', 'admin'));
    const [letter] = await eventually(async () => {
      const { body } = await o.service.call('GET', `${listDeadLetters.path}?message_id=${messageId}`, { token });
      const { data } = listDeadLetters.responses[200].parse(body);
      return data.length > 0 && data;
    });
    expect(letter).to.include({ handler: 'tell', key: taskId, reason: 'refused' });

    o.around.others.tasks.set(taskId, task);
    const path = replayDeadLetter.path.replace('{id}', letter!.id);
    const managers = await o.service.call('POST', path, { token: await o.around.others.userToken(o.mia) });
    expect(managers.status).to.equal(403);
    expect((await o.service.call('POST', path, { token })).status).to.equal(200);
    await eventually(async () => (await o.typesTold(o.ann)).length === 1);
    expect(await o.typesTold(o.ann)).to.deep.equal(['task.assigned']);
  });
});
