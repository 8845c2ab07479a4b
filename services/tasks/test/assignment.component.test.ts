import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { codeOf, type Task } from './support/api.ts';
import { tasksHarness, type Person, type TasksHarness } from './support/tasks-harness.ts';

describe('Assigning', () => {
  let harness: TasksHarness;
  let manager: Person;
  let ann: Person;
  let ben: Person;

  async function begin(): Promise<void> {
    harness = await tasksHarness();
    manager = await harness.join('Mona', 'manager');
    ann = await harness.join('Ann', 'member');
    ben = await harness.join('Ben', 'member');
  }
  const end = async (): Promise<void> => await harness.stop();

  const assign = async (actor: Person, task: { id: string }, body: unknown, headers: Record<string, string> = {}) =>
    await harness.call('assignTask', { token: actor.token, params: { id: task.id }, body, headers });

  describe('to a given user', () => {
    before(begin);
    after(end);

    it('assigns a draft to a performer, and resets a task in progress to assigned when it is reassigned', async () => {
      const task = await harness.createTask(ann);
      expect(await harness.assign(manager, task, ann)).to.include({
        state: 'assigned',
        assignee_id: ann.id,
        version: 2,
      });
      await harness.transition(ann, task, 'in_progress');
      expect(await harness.assign(manager, task, ben)).to.include({
        state: 'assigned',
        assignee_id: ben.id,
        version: 4,
      });
      await harness.observer.expectAbout(task.id, [
        'created',
        'changed',
        'assigned',
        'started',
        'unassigned',
        'assigned',
      ]);
    });

    it('changes nothing when the user is already the assignee', async () => {
      const task = await harness.createTask(manager, { assignee_id: ann.id });
      const begun = await harness.transition(ann, task, 'in_progress');
      expect(await harness.assign(manager, task, ann)).to.deep.equal(begun);
    });

    it('is open to managers and admins only', async () => {
      const task = await harness.createTask(ann);
      expect((await assign(ann, task, { assignee_id: ann.id })).status).to.equal(403);
    });

    it('rejects users who are not performers, are deleted or do not exist', async () => {
      const gone = await harness.join('Gus', 'member');
      await harness.become(gone, 'deleted');
      const task = await harness.createTask(ann);
      const expected: [string, string][] = [
        [manager.id, 'ineligible_assignee'],
        [gone.id, 'ineligible_assignee'],
        [crypto.randomUUID(), 'unknown_assignee'],
      ];
      for (const [assignee_id, code] of expected) {
        const refused = await assign(manager, task, { assignee_id });
        expect([refused.status, codeOf(refused)]).to.deep.equal([422, code]);
        const notCreated = await harness.call('createTask', {
          token: manager.token,
          body: { title: 'x', assignee_id },
        });
        expect([notCreated.status, codeOf(notCreated)]).to.deep.equal([422, code]);
      }
      expect(await harness.read(ann, task)).to.deep.equal(task);
    });

    it('rejects completed and cancelled tasks, and honours If-Match', async () => {
      const task = await harness.createTask(ann);
      const stale = await assign(manager, task, { assignee_id: ann.id }, { 'if-match': '"9"' });
      expect([stale.status, codeOf(stale)]).to.deep.equal([412, 'precondition_failed']);
      await harness.transition(ann, task, 'cancelled');
      const ended = await assign(manager, task, { assignee_id: ann.id });
      expect([ended.status, codeOf(ended)]).to.deep.equal([422, 'illegal_transition']);
      const missing = await assign(manager, { id: crypto.randomUUID() }, { assignee_id: ann.id });
      expect(missing.status).to.equal(404);
    });

    it('queries Auth for a user whom the directory does not know yet, including for a new task', async () => {
      for (const name of ['Fay', 'Gil']) {
        const id = crypto.randomUUID();
        harness.auth.users.set(id, { id, name, role: 'member', version: 1, is_deleted: false });
        const made =
          name === 'Fay'
            ? await harness.createTask(manager, { assignee_id: id })
            : ((await assign(manager, await harness.createTask(ann), { assignee_id: id })).body as Task);
        expect(made.assignee).to.deep.equal({ id, name });
      }
    });

    it('responds with 503 and Retry-After when Auth is needed and unavailable', async () => {
      harness.auth.outage = 503;
      const refused = await assign(manager, await harness.createTask(ann), { assignee_id: crypto.randomUUID() });
      expect([refused.status, codeOf(refused)]).to.deep.equal([503, 'unavailable']);
      expect(Number(refused.headers.get('retry-after'))).to.be.within(1, 60);
      // assigning to users in the directory does not depend on Auth
      expect((await assign(manager, await harness.createTask(ann), { assignee_id: ben.id })).status).to.equal(200);
      harness.auth.outage = undefined;
    });
  });

  describe('at random', () => {
    beforeEach(begin);
    afterEach(end);

    it('picks the performer with the fewest open tasks, and logs the reason', async () => {
      await harness.createTask(manager, { assignee_id: ann.id });
      const task = await harness.createTask(manager, { assign: 'random' });
      expect(task.assignee_id).to.equal(ben.id);
      const [, assigned] = await harness.activity(ann, task);
      expect(assigned).to.deep.include({
        action: 'assigned',
        to: ben.id,
        reason: 'fewest open tasks (1 of 2 performers had 0)',
      });
      const next = await harness.createTask(ann);
      await assign(manager, next, { assign: 'random' });
      expect((await harness.activity(ann, next)).at(-1)?.reason).to.equal(
        'fewest open tasks (2 of 2 performers had 1), picked at random',
      );
    });

    it('counts neither closed nor deleted tasks, nor the task itself', async () => {
      const ended = await harness.createTask(manager, { assignee_id: ann.id });
      await harness.transition(manager, ended, 'cancelled');
      const deleted = await harness.createTask(manager, { assignee_id: ann.id });
      await harness.call('deleteTask', {
        token: manager.token,
        params: { id: deleted.id },
        headers: { 'if-match': '*' },
      });
      await harness.createTask(manager, { assignee_id: ben.id });
      expect(await harness.createTask(manager, { assign: 'random' })).to.include({ assignee_id: ann.id });
      const own = await harness.createTask(manager, { assignee_id: ann.id });
      await assign(manager, own, { assign: 'random' });
      expect(JSON.stringify(await harness.activity(ann, own))).not.to.include('had 2');
    });

    it('distributes evenly when many tasks are assigned concurrently', async () => {
      await harness.join('Cas', 'member');
      await Promise.all(
        Array.from({ length: 30 }, async () => await harness.createTask(manager, { assign: 'random' })),
      );
      const counts = await query<{ count: number }>(
        harness.database.db.pool,
        'SELECT count(*)::integer AS count FROM tasks GROUP BY assignee_id',
      );
      expect(counts.map((row) => row.count)).to.deep.equal([10, 10, 10]);
    });

    it('responds with no_performers, and writes nothing, when there is no performer', async () => {
      for (const person of [ann, ben]) await harness.become(person, 'manager');
      const task = await harness.createTask(ann);
      const refused = await assign(manager, task, { assign: 'random' });
      expect([refused.status, codeOf(refused)]).to.deep.equal([422, 'no_performers']);
      const notCreated = await harness.call('createTask', {
        token: manager.token,
        body: { title: 'x', assign: 'random' },
      });
      expect([notCreated.status, codeOf(notCreated)]).to.deep.equal([422, 'no_performers']);
      expect((await harness.call('shuffleTasks', { token: manager.token })).status).to.equal(422);
      expect(await harness.read(ann, task)).to.deep.equal(task);
    });
  });

  describe('all open tasks (shuffle)', () => {
    beforeEach(begin);
    afterEach(end);

    it('distributes them evenly, with events only for the tasks that changed hands', async () => {
      const open: Task[] = [];
      for (let count = 0; count < 6; count++) open.push(await harness.createTask(manager, { assignee_id: ann.id }));
      await harness.transition(ann, open[0] as Task, 'in_progress');
      const draft = await harness.createTask(ann);
      const answer = await harness.call('shuffleTasks', { token: manager.token });
      expect(answer.body).to.deep.equal({ open: 6, reassigned: 3 });
      const after = await Promise.all(open.map(async (task) => await harness.read(ann, task)));
      expect(after.filter((task) => task.assignee_id === ben.id && task.state === 'assigned')).to.have.length(3);
      for (const task of after) {
        const [, , , ...since] = (
          await harness.observer.expectAbout(task.id, expectedEvents(task, open[0] as Task, ben))
        ).map((event) => event.type);
        expect(since.includes('tasks.task.unassigned')).to.equal(task.assignee_id === ben.id);
      }
      expect(await harness.read(ann, draft)).to.deep.equal(draft);
    });

    it('is open to managers and admins only', async () => {
      expect((await harness.call('shuffleTasks', { token: ann.token })).status).to.equal(403);
    });

    function expectedEvents(task: Task, begun: Task, receiver: Person): string[] {
      const started = task.id === begun.id ? ['started'] : [];
      const moved = task.assignee_id === receiver.id ? ['unassigned', 'assigned'] : [];
      return ['created', 'changed', 'assigned', ...started, ...moved];
    }
  });
});
