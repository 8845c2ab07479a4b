import { expect } from 'chai';
import { notificationsRoutes } from '@taskwire/contracts';
import { eventually, serviceHarness } from './support/service-harness.ts';

const { dropDeadLetter, listDeadLetters, replayDeadLetter } = notificationsRoutes;

describe('Dead letters of Notifications', () => {
  const o = serviceHarness();

  it('notify users after a replay once the missing task exists, and are restricted to admins', async () => {
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
    expect(letter).to.include({ handler: 'notify', key: taskId, reason: 'refused' });

    o.around.others.tasks.set(taskId, task);
    const path = replayDeadLetter.path.replace('{id}', letter!.id);
    const managers = await o.service.call('POST', path, { token: await o.around.others.userToken(o.mia) });
    expect(managers.status).to.equal(403);
    expect((await o.service.call('POST', path, { token })).status).to.equal(200);
    await eventually(async () => (await o.typesOf(o.ann)).length === 1);
    expect(await o.typesOf(o.ann)).to.deep.equal(['task.assigned']);
  });

  it('are not dropped with a token older than five minutes, which may be stolen', async () => {
    const messageId = await o.around.publish('tasks.task.assigned', { ...o.assigned(), task_uuid: 'none' });
    const ada = o.around.others.addUser('Ada', 'admin');
    const token = async (loggedInAgo: number) => await o.around.others.userToken(ada, { loggedInAgo });
    const [letter] = await eventually(async () => {
      const path = `${listDeadLetters.path}?message_id=${messageId}`;
      const { body } = await o.service.call('GET', path, { token: await token(301) });
      const { data } = listDeadLetters.responses[200].parse(body);
      return data.length > 0 && data;
    });
    const drop = async (loggedInAgo: number) =>
      await o.service.call('POST', dropDeadLetter.path.replace('{id}', letter!.id), {
        token: await token(loggedInAgo),
        body: '{"reason":"no longer needed"}',
        headers: { 'content-type': 'application/json' },
      });
    const refused = await drop(301);
    expect([refused.status, (refused.body as { code: string }).code]).to.deep.equal([403, 'reauthentication_required']);
    expect((await drop(200)).status).to.equal(200);
  });
});
