import { randomUUIDv7 } from 'node:crypto';
import { expect } from 'chai';
import { eventually, serviceHarness } from './support/service-harness.ts';

describe('Notifying users during faults', () => {
  const o = serviceHarness();
  const { fact, assigned, notificationsOf, typesOf, mailed, mailsTo, allHandled } = o;

  const deadLetters = async () =>
    await o.rows<{ message_id: string; error: string }>('SELECT message_id, error FROM dead_letters');

  it('creates one notification and one e-mail for an event that arrives many times at once', async () => {
    const [payload, id] = [assigned(), randomUUIDv7()];
    await Promise.all(
      Array.from({ length: 5 }, async () => {
        await o.around.publish('tasks.task.completed', { ...payload, assigned_to: o.ann.id }, randomUUIDv7());
      }),
    );
    // a publisher has only one message per id in flight, so these messages arrive one after the other, but faster than they are handled
    for (let n = 0; n < 5; n++) await o.around.publish('tasks.task.assigned', payload, id);
    await allHandled();
    await mailed(({ to }) => to.includes(o.ann.email));
    expect(await typesOf(o.ann)).to.deep.equal(['task.assigned']);
    await eventually(async () => (await openDeliveries()) === 0);
    expect(mailsTo(o.ann)).to.have.length(1);
  });

  it('creates one notification for an event that arrives again after the inbox has deleted its row', async () => {
    const payload = assigned();
    const id = await o.around.publish('tasks.task.assigned', payload);
    await mailed(({ to }) => to.includes(o.ann.email));
    await o.rows('DELETE FROM inbox');
    await o.around.publish('tasks.task.assigned', payload, id);
    await allHandled();
    expect(await typesOf(o.ann)).to.deep.equal(['task.assigned']);
    await eventually(async () => (await openDeliveries()) === 0);
    expect(mailsTo(o.ann)).to.have.length(1);
  });

  async function openDeliveries(): Promise<number> {
    const rows = await o.rows('SELECT 1 FROM deliveries WHERE next_attempt_at IS NOT NULL');
    return rows.length;
  }

  it('waits for Tasks while it is down, and completes', async () => {
    o.around.others.down.add('tasks');
    const id = await o.around.publish('tasks.task.assigned', assigned());
    await eventually(async () => (await retried(id)) > 0);
    expect(await notificationsOf(o.ann)).to.deep.equal([]);
    o.around.others.down.clear();
    await retryNow(id, async () => (await typesOf(o.ann)).length === 1);
    expect(await typesOf(o.ann)).to.deep.equal(['task.assigned']);
  });

  it('waits for Auth while it is down and the performer is unknown, and completes', async () => {
    o.around.others.down.add('auth');
    const id = await o.around.publish('tasks.task.assigned', assigned());
    await eventually(async () => (await retried(id)) > 0);
    o.around.others.down.clear();
    await retryNow(id, async () => (await typesOf(o.ann)).length === 1);
    expect(await typesOf(o.ann)).to.deep.equal(['task.assigned']);
  });

  it('never drops a recipient whom Auth does not know yet, and completes once Auth does', async () => {
    const { users } = o.around.others;
    const ann = users.get(o.ann.id);
    users.delete(o.ann.id);
    const id = await o.around.publish('tasks.task.assigned', assigned());
    await eventually(async () => (await o.rows('SELECT FROM inbox_pending WHERE message_id = $1', [id])).length > 0);
    users.set(o.ann.id, ann!);
    await retryNow(id, async () => (await typesOf(o.ann)).length === 1);
    expect(await typesOf(o.ann)).to.deep.equal(['task.assigned']);
    expect(await deadLetters()).to.deep.equal([]);
  });

  it('continues to notify known users while Auth is down', async () => {
    await o.around.publish('tasks.task.assigned', assigned());
    await mailed(({ to }) => to.includes(o.ann.email));
    o.around.others.down.add('auth');
    const stranger = o.around.others.addUser('Stranger', 'manager');
    await o.around.publish('tasks.task.unassigned', { ...fact(stranger), unassigned_from: o.ann.id });
    const sent = await mailed(
      ({ to, subject }) => to.includes(o.ann.email) && subject.startsWith('Unassigned from you'),
    );
    expect(sent.text).to.include('Someone took “Paint the fence” from you');
  });

  async function retried(messageId: string): Promise<number> {
    const [row] = await o.rows<{ attempts: number }>('SELECT attempts FROM inbox_pending WHERE message_id = $1', [
      messageId,
    ]);
    return row?.attempts ?? 0;
  }

  /** Makes the message due again until it is handled, because the breaker may refuse some attempts. */
  async function retryNow(messageId: string, until: () => Promise<boolean>): Promise<void> {
    await eventually(async () => {
      await o.rows(
        'UPDATE inbox_pending SET next_attempt_at = now() WHERE message_id = $1 AND next_attempt_at > now() AND lease_id IS NULL',
        [messageId],
      );
      await o.service.parts.inbox.tick();
      return await until();
    });
  }

  it('queries Tasks once for a storm of events of one task', async () => {
    const asked = () => o.around.others.requests.filter((request) => request === `GET /tasks/${o.task.id}`).length;
    const performers = Array.from({ length: 40 }, (_, n) => o.around.others.addUser(`P${n}`));
    const payloads = performers.map((performer) => assigned(performer));
    const began = performance.now();
    for (const payload of payloads) await o.around.publish('tasks.task.assigned', payload);
    await allHandled();
    // the fetched state is newer than all these events
    expect(Date.parse(o.task.updatedAt)).to.be.greaterThan(Date.parse(fact(null).timestamp));
    // before the handoff, mails query the task again, and share a response for two seconds
    expect(asked()).to.be.within(1, 2 + Math.ceil((performance.now() - began) / 2_000));
    for (const performer of performers) expect(await typesOf(performer)).to.deep.equal(['task.assigned']);
  });

  it('shows the events of a task in their order, even if the first one had to wait', async () => {
    o.around.others.down.add('tasks');
    const first = await o.around.publish('tasks.task.started', { ...fact(o.ann), assigned_to: o.ann.id });
    await eventually(async () => (await retried(first)) > 0);
    o.around.others.down.clear();
    const second = await o.around.publish('tasks.task.completed', { ...fact(o.ann), assigned_to: o.ann.id });
    await eventually(async () => {
      await o.rows(
        'UPDATE inbox_pending SET next_attempt_at = now() WHERE message_id = ANY ($1) AND next_attempt_at > now() AND lease_id IS NULL',
        [[first, second]],
      );
      await o.service.parts.inbox.tick();
      return (await notificationsOf(o.mia)).length === 2;
    });
    expect(await typesOf(o.mia)).to.deep.equal(['task.completed', 'task.started']);
  });

  it('acknowledges events of unknown types, and those that notify no one, without storing anything', async () => {
    const ids = [
      await o.around.publishRaw('tasks.poll.added', JSON.stringify({ ...fact(o.mia), author: o.mia.id, mentions: [] })),
      await o.around.publishRaw('tasks.task.exploded', JSON.stringify(fact(o.mia))),
      await o.around.publishRaw('tasks.board.item.moved', JSON.stringify({ board_uuid: o.task.id })),
      await o.around.publishRaw('auth.user.promoted', JSON.stringify({ user_id: o.mia.id })),
      await o.around.publish('tasks.task.created', fact(o.mia)),
      await o.around.publish('tasks.task.changed', fact(o.mia)),
      await o.around.publishRaw('tasks.task.exploded', 'not even JSON', 'nor a uuid'),
    ];
    const { id: taskId } = o.task;
    // the next events are about another task
    o.task = o.around.others.addTask(o.mia, 'Mow the lawn');
    await allHandled();
    expect(await o.rows('SELECT 1 FROM inbox WHERE message_id::text = ANY ($1)', [ids])).to.deep.equal([]);
    expect(await deadLetters()).to.deep.equal([]);
    expect(o.around.others.requests).not.to.include(`GET /tasks/${taskId}`);
  });

  it('accepts events with unknown fields', async () => {
    await o.around.publishRaw('tasks.task.assigned', JSON.stringify({ ...assigned(), colour: 'red' }));
    await eventually(async () => (await typesOf(o.ann)).length === 1);
  });

  it('dead-letters an event that violates its contract, and continues with the next', async () => {
    const id = await o.around.publishRaw('tasks.task.assigned', JSON.stringify({ task_uuid: o.task.id }));
    await o.around.publish('tasks.task.assigned', assigned());
    await eventually(async () => (await typesOf(o.ann)).length === 1);
    const dead = (await deadLetters()).find(({ message_id }) => message_id === id);
    expect(dead?.error).to.include('assigned_to');
  });

  it('dead-letters an event of a task that Tasks does not know', async () => {
    const unheardOf = { ...assigned(), task_uuid: randomUUIDv7() };
    const id = await o.around.publish('tasks.task.assigned', unheardOf);
    const dead = await eventually(async () => (await deadLetters()).find(({ message_id }) => message_id === id));
    expect(dead.error).to.include(unheardOf.task_uuid);
  });
});
