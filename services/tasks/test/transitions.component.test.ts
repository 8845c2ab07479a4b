import { expect } from 'chai';
import { codeOf, type Task } from './support/api.ts';
import { tasksTeam, type Person, type TasksHarness } from './support/tasks-harness.ts';

describe('Transitions', () => {
  let harness: TasksHarness;
  let manager: Person;
  let ann: Person;
  let ben: Person;

  before(async () => ({ harness, manager, ann, ben } = await tasksTeam()));
  after(async () => await harness.stop());

  const transition = async (actor: Person, task: { id: string }, state: string, headers: Record<string, string> = {}) =>
    await harness.call('transitionTask', { token: actor.token, params: { id: task.id }, body: { state }, headers });

  it('lead from assigned to completed by the assignee, each with an event that names the assignee', async () => {
    const task = await harness.createTask(manager, { assignee_id: ann.id });
    expect(await harness.transition(ann, task, 'in_progress')).to.include({ state: 'in_progress', version: 2 });
    expect(await harness.transition(ann, task, 'completed')).to.include({ state: 'completed', version: 3 });
    const events = await harness.observer.expectAbout(task.id, [
      'created',
      'changed',
      'assigned',
      'started',
      'completed',
    ]);
    for (const event of events.slice(-2)) expect(event.payload).to.include({ assigned_to: ann.id, actor: ann.id });
  });

  it('let only the creator, managers and admins cancel', async () => {
    const admin = await harness.join('Ada', 'admin');
    const draft = await harness.createTask(ben);
    const refused = await transition(ann, draft, 'cancelled');
    expect([refused.status, codeOf(refused)]).to.deep.equal([403, 'forbidden']);
    for (const person of [ben, manager, admin]) {
      const task = await harness.createTask(ben);
      expect(await harness.transition(person, task, 'cancelled')).to.include({ state: 'cancelled', assignee_id: null });
    }
  });

  it('are rejected for every user but the assignee, managers included', async () => {
    const task = await harness.createTask(manager, { assignee_id: ann.id });
    for (const person of [ben, manager]) {
      const refused = await transition(person, task, 'in_progress');
      expect([refused.status, codeOf(refused)]).to.deep.equal([403, 'forbidden']);
    }
    expect(await harness.read(ann, task)).to.deep.equal(task);
  });

  it('respond with illegal_transition where the state does not allow them, and change nothing', async () => {
    const task = await harness.createTask(manager, { assignee_id: ann.id });
    for (const state of ['completed', 'draft', 'assigned']) {
      const refused = await transition(ann, task, state);
      expect([refused.status, codeOf(refused)], state).to.deep.equal([422, 'illegal_transition']);
    }
    const cancelled = await harness.transition(manager, task, 'cancelled');
    const again = await transition(manager, task, 'cancelled');
    expect([again.status, codeOf(again)]).to.deep.equal([422, 'illegal_transition']);
    expect(await harness.read(ann, task)).to.deep.equal(cancelled);
  });

  it('honour If-Match, which is optional', async () => {
    const task = await harness.createTask(manager, { assignee_id: ann.id });
    const stale = await transition(ann, task, 'in_progress', { 'if-match': '"2"' });
    expect([stale.status, codeOf(stale)]).to.deep.equal([412, 'precondition_failed']);
    expect((stale.body as { current: unknown }).current).to.deep.equal(task);
    expect((await transition(ann, task, 'in_progress', { 'if-match': '"1"' })).status).to.equal(200);
  });

  it('succeed once when sent concurrently for one task', async () => {
    for (let round = 0; round < 5; round++) {
      const task = await harness.createTask(manager, { assignee_id: ann.id });
      const answers = await Promise.all(
        Array.from({ length: 8 }, async () => await transition(ann, task, 'in_progress')),
      );
      expect(answers.filter((answer) => answer.status === 200)).to.have.length(1);
      expect(answers.filter((answer) => answer.status === 422)).to.have.length(7);
      await harness.observer.expectAbout(task.id, ['created', 'changed', 'assigned', 'started']);
    }
  });

  it('leave one history when they run concurrently with a reassignment', async () => {
    for (let round = 0; round < 10; round++) {
      const task = await harness.createTask(manager, { assignee_id: ann.id });
      await Promise.all(
        [
          transition(ann, task, 'in_progress'),
          harness.assign(manager, task, ben),
          transition(manager, task, 'cancelled'),
        ].map(async (work) => await work.catch(() => undefined)),
      );
      const log = (await harness.activity(ann, task)).map((entry) => entry.action);
      const expected = log.flatMap((action) => (action === 'created' ? ['created', 'changed'] : [action]));
      const events = await harness.observer.expectAbout(task.id, expected);
      const times = events.map((event) => String(event.payload['timestamp']));
      expect(times).to.deep.equal([...new Set(times)].toSorted());
      const { updated_at, state }: Task = await harness.read(ann, task);
      expect(updated_at).to.equal(times.at(-1));
      expect(state).to.equal('cancelled');
    }
  });

  it('respond with 404 after a deletion', async () => {
    const task = await harness.createTask(manager, { assignee_id: ann.id });
    await harness.call('deleteTask', { token: manager.token, params: { id: task.id }, headers: { 'if-match': '*' } });
    expect((await transition(ann, task, 'in_progress')).status).to.equal(404);
    await harness.observer.expectAbout(task.id, ['created', 'changed', 'assigned', 'unassigned', 'deleted']);
  });
});
