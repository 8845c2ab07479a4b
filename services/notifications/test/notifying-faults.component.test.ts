import { randomUUIDv7 } from 'node:crypto';
import { expect } from 'chai';
import { eventually, serviceHarness } from './support/service-harness.ts';

describe('Telling people, whatever happens on the way', () => {
  const o = serviceHarness();
  const { fact, assigned, told, typesTold, mailed, mailsTo, settled } = o;

  const deadLetters = async () =>
    await o.rows<{ message_id: string; error: string }>('SELECT message_id, error FROM dead_letters');

  it('makes one notification and one e-mail of an event that comes many times at once', async () => {
    const [payload, id] = [assigned(), randomUUIDv7()];
    await Promise.all(
      Array.from({ length: 5 }, async () => {
        await o.around.publish('tasks.task.completed', { ...payload, assigned_to: o.ann.id }, randomUUIDv7());
      }),
    );
    // one id is in flight once at a time for a publisher, so these come one after the other, faster than they are handled
    for (let n = 0; n < 5; n++) await o.around.publish('tasks.task.assigned', payload, id);
    await settled();
    await mailed(({ to }) => to.includes(o.ann.email));
    expect(await typesTold(o.ann)).to.deep.equal(['task.assigned']);
    await eventually(async () => (await openDeliveries()) === 0);
    expect(mailsTo(o.ann)).to.have.length(1);
  });

  it('makes one notification of an event that comes again after the inbox forgot it', async () => {
    const payload = assigned();
    const id = await o.around.publish('tasks.task.assigned', payload);
    await mailed(({ to }) => to.includes(o.ann.email));
    await o.rows('DELETE FROM inbox');
    await o.around.publish('tasks.task.assigned', payload, id);
    await settled();
    expect(await typesTold(o.ann)).to.deep.equal(['task.assigned']);
    await eventually(async () => (await openDeliveries()) === 0);
    expect(mailsTo(o.ann)).to.have.length(1);
  });

  async function openDeliveries(): Promise<number> {
    const rows = await o.rows('SELECT 1 FROM deliveries WHERE next_attempt_at IS NOT NULL');
    return rows.length;
  }

  it('waits for Tasks when it is down, and completes', async () => {
    o.around.others.down.add('tasks');
    const id = await o.around.publish('tasks.task.assigned', assigned());
    await eventually(async () => (await retried(id)) > 0);
    expect(await told(o.ann)).to.deep.equal([]);
    o.around.others.down.clear();
    await retryNow(id, async () => (await typesTold(o.ann)).length === 1);
    expect(await typesTold(o.ann)).to.deep.equal(['task.assigned']);
  });

  it('waits for Auth when it is down and the performer is not known, and completes', async () => {
    o.around.others.down.add('auth');
    const id = await o.around.publish('tasks.task.assigned', assigned());
    await eventually(async () => (await retried(id)) > 0);
    o.around.others.down.clear();
    await retryNow(id, async () => (await typesTold(o.ann)).length === 1);
    expect(await typesTold(o.ann)).to.deep.equal(['task.assigned']);
  });

  it('never takes a recipient whom Auth does not know yet for nobody, and completes once Auth does', async () => {
    const { users } = o.around.others;
    const ann = users.get(o.ann.id);
    users.delete(o.ann.id);
    const id = await o.around.publish('tasks.task.assigned', assigned());
    await eventually(async () => (await o.rows('SELECT FROM inbox_retries WHERE message_id = $1', [id])).length > 0);
    users.set(o.ann.id, ann!);
    await retryNow(id, async () => (await typesTold(o.ann)).length === 1);
    expect(await typesTold(o.ann)).to.deep.equal(['task.assigned']);
    expect(await deadLetters()).to.deep.equal([]);
  });

  it('goes on telling people whom it knows while Auth is down', async () => {
    await o.around.publish('tasks.task.assigned', assigned());
    await mailed(({ to }) => to.includes(o.ann.email));
    o.around.others.down.add('auth');
    const stranger = o.around.others.addUser('Stranger', 'manager');
    await o.around.publish('tasks.task.unassigned', { ...fact(stranger), unassigned_from: o.ann.id });
    const sent = await mailed(
      ({ to, subject }) => to.includes(o.ann.email) && subject.startsWith('Unassigned from you'),
    );
    expect(sent.text).to.include('Somebody took “Paint the fence” from you');
  });

  async function retried(messageId: string): Promise<number> {
    const [row] = await o.rows<{ attempts: number }>('SELECT attempts FROM inbox_retries WHERE message_id = $1', [
      messageId,
    ]);
    return row?.attempts ?? 0;
  }

  /** Lets the time until the next attempt pass, as often as it takes: the breaker has a say, too. */
  async function retryNow(messageId: string, until: () => Promise<boolean>): Promise<void> {
    await eventually(async () => {
      await o.rows(
        'UPDATE inbox_retries SET next_attempt_at = now() WHERE message_id = $1 AND next_attempt_at > now() AND lease IS NULL',
        [messageId],
      );
      await o.service.parts.inbox.tick();
      return await until();
    });
  }

  it('asks Tasks once for a storm of events of one task', async () => {
    const asked = () => o.around.others.requests.filter((request) => request === `GET /tasks/${o.task.id}`).length;
    const performers = Array.from({ length: 40 }, (_, n) => o.around.others.addUser(`P${n}`));
    const payloads = performers.map((performer) => assigned(performer));
    const began = performance.now();
    for (const payload of payloads) await o.around.publish('tasks.task.assigned', payload);
    await settled();
    // the state says that it is from after all of them
    expect(Date.parse(o.task.updatedAt)).to.be.greaterThan(Date.parse(fact(null).timestamp));
    // mails look at the task again, and share an answer for two seconds
    expect(asked()).to.be.within(1, 2 + Math.ceil((performance.now() - began) / 2_000));
    for (const performer of performers) expect(await typesTold(performer)).to.deep.equal(['task.assigned']);
  });

  it('shows what happened to a task in the order in which it happened, also when the first of it had to wait', async () => {
    o.around.others.down.add('tasks');
    const first = await o.around.publish('tasks.task.started', { ...fact(o.ann), assigned_to: o.ann.id });
    await eventually(async () => (await retried(first)) > 0);
    o.around.others.down.clear();
    const second = await o.around.publish('tasks.task.completed', { ...fact(o.ann), assigned_to: o.ann.id });
    await eventually(async () => {
      await o.rows(
        'UPDATE inbox_retries SET next_attempt_at = now() WHERE message_id = ANY ($1) AND next_attempt_at > now() AND lease IS NULL',
        [[first, second]],
      );
      await o.service.parts.inbox.tick();
      return (await told(o.mia)).length === 2;
    });
    expect(await typesTold(o.mia)).to.deep.equal(['task.completed', 'task.started']);
  });

  it('lets events of types that it does not know pass, and what is not for it, without a trace', async () => {
    const ids = [
      await o.around.publishRaw(
        'tasks.comment.added',
        JSON.stringify({ ...fact(o.mia), author: o.mia.id, mentions: [] }),
      ),
      await o.around.publishRaw('tasks.task.exploded', JSON.stringify(fact(o.mia))),
      await o.around.publishRaw('tasks.board.item.moved', JSON.stringify({ board_uuid: o.task.id })),
      await o.around.publishRaw('auth.user.promoted', JSON.stringify({ user_id: o.mia.id })),
      await o.around.publish('tasks.task.created', fact(o.mia)),
      await o.around.publish('tasks.task.changed', fact(o.mia)),
      await o.around.publishRaw('tasks.task.exploded', 'not even JSON', 'nor a uuid'),
    ];
    const { id: taskId } = o.task;
    // what follows is about another one
    o.task = o.around.others.addTask(o.mia, 'Mow the lawn');
    await settled();
    expect(await o.rows('SELECT 1 FROM inbox WHERE message_id::text = ANY ($1)', [ids])).to.deep.equal([]);
    expect(await deadLetters()).to.deep.equal([]);
    expect(o.around.others.requests).not.to.include(`GET /tasks/${taskId}`);
  });

  it('accepts events with fields that it does not know', async () => {
    await o.around.publishRaw('tasks.task.assigned', JSON.stringify({ ...assigned(), colour: 'red' }));
    await eventually(async () => (await typesTold(o.ann)).length === 1);
  });

  it('makes a dead letter of an event that breaks its contract, and goes on with the next', async () => {
    const id = await o.around.publishRaw('tasks.task.assigned', JSON.stringify({ task_uuid: o.task.id }));
    await o.around.publish('tasks.task.assigned', assigned());
    await eventually(async () => (await typesTold(o.ann)).length === 1);
    const dead = (await deadLetters()).find(({ message_id }) => message_id === id);
    expect(dead?.error).to.include('assigned_to');
  });

  it('makes a dead letter of an event of a task that Tasks does not know', async () => {
    const unheardOf = { ...assigned(), task_uuid: randomUUIDv7() };
    const id = await o.around.publish('tasks.task.assigned', unheardOf);
    const dead = await eventually(async () => (await deadLetters()).find(({ message_id }) => message_id === id));
    expect(dead.error).to.include(unheardOf.task_uuid);
  });
});
