import { expect } from 'chai';
import type { Task } from './support/api.ts';
import { tasksTeam, type Person, type TasksHarness } from './support/tasks-harness.ts';

describe('Lists of Tasks', () => {
  let harness: TasksHarness;
  let manager: Person;
  let ann: Person;
  let ben: Person;

  before(async () => ({ harness, manager, ann, ben } = await tasksTeam()));
  after(async () => await harness.stop());

  describe('the tasks', () => {
    it('filter by state, assignee, creator and mine', async () => {
      const cas = await harness.join('Cas', 'member');
      const draft = await harness.createTask(cas);
      const assigned = await harness.createTask(manager, { assignee_id: cas.id });
      const started = await harness.transition(
        cas,
        await harness.createTask(manager, { assignee_id: cas.id }),
        'in_progress',
      );
      const ids = async (query: Record<string, string>) => (await list(query, cas)).map((task) => task.id);
      expect(await ids({ creator: cas.id })).to.deep.equal([draft.id]);
      expect(await ids({ creator: cas.id, assignee: 'none' })).to.deep.equal([draft.id]);
      expect(await ids({ assignee: cas.id })).to.deep.equal([started.id, assigned.id]);
      expect(await ids({ mine: 'true' })).to.deep.equal([started.id, assigned.id]);
      expect(await ids({ mine: 'true', state: 'in_progress' })).to.deep.equal([started.id]);
      expect(await ids({ mine: 'true', assignee: ann.id })).to.deep.equal([]);
      expect(await ids({ assignee: 'me' })).to.deep.equal([started.id, assigned.id]);
      expect(await ids({ assignee: 'me', state: 'assigned' })).to.deep.equal([assigned.id]);
      // unassigned tasks are not the caller's either
      expect(await ids({ mine: 'false', creator: cas.id })).to.deep.equal([draft.id]);
      expect(await ids({ mine: 'false', assignee: cas.id })).to.deep.equal([]);
    });

    it('reject a cursor of another filter, another list, or another user where the filter depends on the caller', async () => {
      const eve = await harness.join('Eve', 'member');
      for (let count = 0; count < 3; count++) await harness.createTask(manager, { assignee_id: eve.id });
      const first = await harness.call('listTasks', { token: eve.token, query: { mine: 'true', limit: '1' } });
      const { next_cursor: cursor } = first.body as { next_cursor: string };
      const again = async (query: Record<string, string>, token = eve.token) =>
        await harness.call('listTasks', { token, query: { limit: '1', cursor, ...query } });
      expect((await again({ mine: 'true' })).status).to.equal(200);
      const others: Record<string, string>[] = [
        {},
        { mine: 'false' },
        { mine: 'true', state: 'assigned' },
        { creator: eve.id },
      ];
      for (const query of others) {
        expect((await again(query)).body).to.include({ code: 'bad_cursor' });
      }
      expect((await again({ mine: 'true' }, ann.token)).body).to.include({ code: 'bad_cursor' });
    });

    it('have pages without gaps or repeats during concurrent writes', async () => {
      const dan = await harness.join('Dan', 'member');
      const made = [];
      for (let count = 0; count < 7; count++) made.push((await harness.createTask(dan)).id);
      const seen: string[] = [];
      let cursor: string | null | undefined;
      while (cursor !== null) {
        const query = { creator: dan.id, limit: '2', ...(cursor === undefined ? {} : { cursor }) };
        const { body } = await harness.call('listTasks', { token: dan.token, query });
        const page = body as { data: Task[]; next_cursor: string | null };
        seen.push(...page.data.map((task) => task.id));
        cursor = page.next_cursor;
        await harness.createTask(dan);
      }
      expect(seen).to.deep.equal(made.toReversed());
    });

    it('end with a null cursor when the last page is full', async () => {
      const fay = await harness.join('Fay', 'member');
      await harness.createTask(fay);
      const { body } = await harness.call('listTasks', { token: fay.token, query: { creator: fay.id, limit: '1' } });
      expect(body).to.have.property('next_cursor', null);
    });
  });

  describe('the activity log', () => {
    it('has actor, field, old and new value and time of every change, oldest first', async () => {
      const task = await harness.createTask(ann);
      await harness.call('changeTask', {
        token: manager.token,
        params: { id: task.id },
        headers: { 'if-match': '*' },
        body: { title: 'Paint the gate', labels: ['home'] },
      });
      await harness.assign(manager, task, ann);
      await harness.transition(ann, task, 'in_progress');
      const entries = await harness.activity(ben, task);
      const by = (person: Person) => ({ id: person.id, name: person.name });
      expect(
        entries.map(({ action, actor, field, from, to, reason }) => ({ action, actor, field, from, to, reason })),
      ).to.deep.equal([
        { action: 'created', actor: by(ann), field: null, from: null, to: null, reason: null },
        {
          action: 'changed',
          actor: by(manager),
          field: 'title',
          from: 'Paint the fence',
          to: 'Paint the gate',
          reason: null,
        },
        { action: 'changed', actor: by(manager), field: 'labels', from: [], to: ['home'], reason: null },
        { action: 'assigned', actor: by(manager), field: 'assignee_id', from: null, to: ann.id, reason: null },
        { action: 'started', actor: by(ann), field: 'state', from: 'assigned', to: 'in_progress', reason: null },
      ]);
      const times = entries.map((entry) => entry.created_at);
      expect(times).to.deep.equal(times.toSorted());
    });

    it('is paged', async () => {
      const task = await harness.createTask(manager, { assignee_id: ann.id });
      const first = await harness.call('listActivity', {
        token: ann.token,
        params: { id: task.id },
        query: { limit: '1' },
      });
      const page = first.body as { data: unknown[]; next_cursor: string };
      const query = { limit: '1', cursor: page.next_cursor };
      const second = await harness.call('listActivity', { token: ann.token, params: { id: task.id }, query });
      expect(second.body).to.deep.include({ next_cursor: null }).and.to.have.property('data').with.length(1);
      expect([page.data, (second.body as { data: unknown[] }).data].flat()).to.deep.equal(
        await harness.activity(ann, task),
      );
    });

    it('cannot be modified, not even by the service', async () => {
      for (const statement of [
        "UPDATE task_activity SET reason = 'x'",
        'DELETE FROM task_activity',
        'TRUNCATE task_activity',
      ]) {
        const outcome = await harness.database.db.pool.query(statement).then(
          () => 'done',
          (error: Error) => error.message,
        );
        expect(outcome).to.equal('task_activity is append-only');
      }
    });
  });

  async function list(query: Record<string, string>, person = ann): Promise<Task[]> {
    const answer = await harness.call('listTasks', { token: person.token, query });
    expect(answer.status).to.equal(200);
    return (answer.body as { data: Task[] }).data;
  }
});
