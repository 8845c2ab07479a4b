import { expect } from 'chai';
import { schemas } from '@taskwire/contracts';
import { query } from '@taskwire/postgres';
import { codeOf, type Task } from './support/api.ts';
import { tasksTeam, type Person, type TasksHarness } from './support/tasks-harness.ts';

describe('Tasks', () => {
  let harness: TasksHarness;
  let manager: Person;
  let ann: Person;
  let ben: Person;

  before(async () => ({ harness, manager, ann, ben } = await tasksTeam()));
  after(async () => await harness.stop());

  describe('creating', () => {
    it('creates a draft with the defaults of the contract, for every user', async () => {
      const answer = await harness.call('createTask', { token: ann.token, body: { title: '  Paint the fence ' } });
      expect(answer.status).to.equal(201);
      expect(answer.headers.get('etag')).to.match(/^"1-/);
      expect(answer.headers.get('location')).to.equal(`/api/v1/tasks/${(answer.body as Task).id}`);
      expect(answer.body).to.deep.include({
        title: 'Paint the fence',
        description: '',
        state: 'draft',
        priority: 'normal',
        due_at: null,
        labels: [],
        creator_id: ann.id,
        assignee_id: null,
        creator: { id: ann.id, name: 'Ann' },
        assignee: null,
        version: 1,
      });
    });

    it('stores the given fields, due dates in UTC to the microsecond', async () => {
      const body = {
        title: 'Größe "prüfen" \u{1f44b} \\',
        description: 'first line\n\tsecond line',
        priority: 'urgent',
        due_at: '2026-12-24T18:30:00.123456+01:00',
        labels: ['a,b', '{"c"}', 'NULL', ''.padEnd(50, 'd')],
      };
      const task = await harness.createTask(ann, body);
      expect(task).to.deep.include({ ...body, due_at: '2026-12-24T17:30:00.123456Z' });
      expect(await harness.read(ben, task)).to.deep.equal(task);
    });

    it('moves the due date of a task that is due all day to the end of that day in its time zone', async () => {
      const body = { due_at: '2026-12-24T08:00:00Z', due_time_zone: 'america/new_york', due_all_day: true };
      const task = await harness.createTask(ann, { ...body, remind_before: 'PT2H' });
      const expected = { due_at: '2026-12-25T04:59:59.999999Z', due_time_zone: 'America/New_York', due_all_day: true };
      expect(task).to.deep.include({ ...expected, remind_before: 'PT2H', version: 1 });
      expect(await harness.read(ben, task)).to.deep.equal(task);
      const change = { token: ann.token, params: { id: task.id }, headers: { 'if-match': '"1"' } };
      const sent = { due_at: task.due_at, due_time_zone: task.due_time_zone, due_all_day: true };
      expect((await harness.call('changeTask', { ...change, body: sent })).body).to.deep.equal(task);
      const moved = await harness.call('changeTask', { ...change, body: { due_time_zone: 'Asia/Tokyo' } });
      expect(moved.body).to.deep.include({
        due_at: '2026-12-24T14:59:59.999999Z',
        due_time_zone: 'Asia/Tokyo',
        version: 2,
      });
      const fields = (await harness.activity(ann, task)).map(({ field }) => field);
      expect(fields).to.deep.equal([null, 'due_at', 'due_time_zone']);
    });

    it('rejects faults of a due date, names the field, and writes nothing', async () => {
      const due_at = '2026-12-24T08:00:00Z';
      const faults: [string, Record<string, unknown>][] = [
        ['due_time_zone', { due_time_zone: 'Mars/Olympus_Mons' }],
        ['due_time_zone', { due_time_zone: '+01:00' }],
        ['due_time_zone', { due_at, due_all_day: true }],
        ['due_all_day', { due_time_zone: 'Europe/Berlin', due_all_day: true }],
        ['remind_before', { due_at, remind_before: '1 day' }],
        ['remind_before', { due_at, remind_before: 'PT0S' }],
        ['remind_before', { due_at, remind_before: 'P2Y' }],
      ];
      const task = await harness.createTask(ann);
      for (const [field, body] of faults) {
        const change = { token: ann.token, params: { id: task.id }, headers: { 'if-match': '*' }, body };
        for (const answer of [
          await harness.call('createTask', { token: ann.token, body: { title: 'Paint', ...body } }),
          await harness.call('changeTask', change),
        ]) {
          expect([answer.status, codeOf(answer)], JSON.stringify(body)).to.deep.equal([422, 'invalid_input']);
          expect((answer.body as { errors: { field: string }[] }).errors.map((one) => one.field)).to.deep.equal([
            field,
          ]);
        }
      }
      expect(await harness.read(ann, task)).to.deep.equal(task);
    });

    it('assigns immediately for managers', async () => {
      const task = await harness.createTask(manager, { assignee_id: ann.id });
      expect(task).to.deep.include({ state: 'assigned', assignee_id: ann.id, assignee: { id: ann.id, name: 'Ann' } });
    });

    it('rejects an assignment by a member, and writes nothing', async () => {
      for (const body of [{ assignee_id: ann.id }, { assign: 'random' }]) {
        const title = crypto.randomUUID();
        const answer = await harness.call('createTask', { token: ann.token, body: { title, ...body } });
        expect([answer.status, codeOf(answer)]).to.deep.equal([403, 'forbidden']);
        expect(await titles()).not.to.include(title);
      }
    });

    it('rejects half of a surrogate pair instead of replacing it', async () => {
      for (const body of ['{"title": "half \\ud83d"}', '{"title": "a", "labels": ["\\ud800"]}']) {
        const answer = await harness.call('createTask', { token: ann.token, body });
        expect([answer.status, codeOf(answer)]).to.deep.equal([422, 'invalid_input']);
      }
    });

    async function titles(): Promise<string[]> {
      const answer = await harness.call('listTasks', { token: ann.token });
      return (answer.body as { data: Task[] }).data.map((task) => task.title);
    }
  });

  describe('reading', () => {
    it('responds with 404 for a task that never existed', async () => {
      const missing = await harness.call('getTask', { token: ann.token, params: { id: crypto.randomUUID() } });
      expect([missing.status, codeOf(missing)]).to.deep.equal([404, 'not_found']);
    });

    it('responds with 304 for the ETag of any earlier response, storable by this caller only', async () => {
      const made = await harness.call('createTask', { token: ann.token, body: { title: 'Paint the fence' } });
      const params = { id: (made.body as Task).id };
      const known = { token: ann.token, params, headers: { 'if-none-match': made.headers.get('etag') ?? '' } };
      const answer = await harness.call('getTask', known);
      expect(answer.status).to.equal(304);
      expect(answer.headers.get('etag')).to.equal(made.headers.get('etag'));
      expect(answer.headers.get('cache-control')).to.equal('private, no-cache');
      expect(answer.headers.get('vary')).to.equal('Authorization');
    });

    it('returns a new name of the creator for the old ETag, which still matches in If-Match', async () => {
      const cleo = await harness.join('Cleo', 'member');
      const task = await harness.createTask(cleo);
      const read = { token: ann.token, params: { id: task.id } };
      const tag = (await harness.call('getTask', read)).headers.get('etag') ?? '';
      await harness.rename(cleo, 'Cleopatra');
      const renamed = await harness.call('getTask', { ...read, headers: { 'if-none-match': tag } });
      expect([renamed.status, (renamed.body as Task).creator.name]).to.deep.equal([200, 'Cleopatra']);
      const change = { token: cleo.token, params: read.params, body: { title: 'x' }, headers: { 'if-match': tag } };
      expect((await harness.call('changeTask', change)).status).to.equal(200);
      expect((await harness.call('changeTask', change)).status).to.equal(412);
    });

    it('accepts an id in capitals', async () => {
      const task = await harness.createTask(ann);
      expect(await harness.read(ann, { id: task.id.toUpperCase() })).to.deep.equal(task);
    });

    it('shows current names, and a placeholder for deleted users', async () => {
      const eve = await harness.join('Eve', 'member');
      const task = await harness.createTask(eve);
      await harness.become(eve, 'deleted');
      expect((await harness.read(ann, task)).creator).to.deep.equal({ id: eve.id, name: 'Deleted user' });
    });

    it('shows an empty name for a user whom the directory does not know yet', async () => {
      const id = crypto.randomUUID();
      const stranger: Person = {
        id,
        name: '',
        role: 'member',
        token: await harness.auth.userToken({ id, role: 'member' }),
      };
      expect((await harness.createTask(stranger)).creator).to.deep.equal({ id, name: '' });
    });
  });

  it('stores a label in one Unicode form', async () => {
    const task = await harness.createTask(ann, { labels: ['cafe\u0301', 'Cafe', 'cafe'] });
    expect(task.labels).to.deep.equal(['caf\u00e9', 'Cafe', 'cafe']);
  });

  describe('changing', () => {
    it('updates the given fields and the version, and nothing else', async () => {
      const task = await harness.createTask(ann, { labels: ['home'], due_at: '2026-12-24T00:00:00Z' });
      const changed = await change(ann, task, { title: 'Paint the gate', due_at: null, labels: [] }, '"1"');
      expect(changed.status).to.equal(200);
      expect(changed.headers.get('etag')).to.match(/^"2-/);
      const { updated_at, ...rest } = changed.body as Task;
      expect(rest).to.deep.equal({ ...without(task), title: 'Paint the gate', due_at: null, labels: [], version: 2 });
      expect(updated_at > task.updated_at).to.equal(true);
    });

    it('is open to the creator, managers and admins', async () => {
      const admin = await harness.join('Ada', 'admin');
      const task = await harness.createTask(ann);
      const refused = await change(ben, task, { title: 'mine' }, '*');
      expect([refused.status, codeOf(refused)]).to.deep.equal([403, 'forbidden']);
      for (const person of [ann, manager, admin]) {
        expect((await change(person, task, { title: `by ${person.name}` }, '*')).status).to.equal(200);
      }
    });

    it('makes no version and no entry when nothing differs', async () => {
      const task = await harness.createTask(ann, { due_at: '2026-12-24T12:00:00Z' });
      const same = await change(ann, task, { title: task.title, due_at: '2026-12-24T13:00:00+01:00' }, '"1"');
      expect(same.body).to.deep.equal(task);
      expect(same.headers.get('etag')).to.match(/^"1-/);
      expect(await harness.activity(ann, task)).to.have.length(1);
    });

    it('requires If-Match (428) with the current version (412) or *', async () => {
      const task = await harness.createTask(ann);
      const missing = await change(ann, task, { title: 'a' });
      expect([missing.status, codeOf(missing)]).to.deep.equal([428, 'precondition_required']);
      expect((await change(ann, task, { title: 'a' }, '"1"')).status).to.equal(200);
      for (const stale of ['"1"', 'W/"2"', '"other"']) {
        const refused = await change(ann, task, { title: 'b' }, stale);
        expect([refused.status, codeOf(refused)], stale).to.deep.equal([412, 'precondition_failed']);
        expect(refused.headers.get('etag')).to.equal('"2"');
        expect((refused.body as { current: unknown }).current).to.deep.equal(await harness.read(ann, task));
      }
      const unreadable = await change(ann, task, { title: 'b' }, '2');
      expect([unreadable.status, codeOf(unreadable)]).to.deep.equal([400, 'bad_etag']);
      expect((await change(ann, task, { title: 'b' }, '"7", "2"')).status).to.equal(200);
      expect((await change(ann, task, { title: 'c' }, '*')).status).to.equal(200);
      expect((await harness.read(ann, task)).version).to.equal(4);
    });

    it('gives the version alone (412) to an application that may not read tasks', async () => {
      const task = await harness.createTask(ann);
      const application = { clientId: 'portal', scopes: ['tasks:write'] };
      const token = await harness.auth.userToken(ann, { application });
      const refused = await change({ ...ann, token }, task, { title: 'b' }, '"7"');
      expect([refused.status, codeOf(refused)]).to.deep.equal([412, 'precondition_failed']);
      expect((refused.body as { current: unknown }).current).to.deep.equal({ version: 1 });
      expect((await change({ ...ann, token }, task, { title: 'b' }, '"1"')).status).to.equal(200);
    });

    it('accepts one of two concurrent changes of the same version', async () => {
      const task = await harness.createTask(ann);
      const answers = await Promise.all(
        ['x', 'y', 'z'].map(async (title) => await change(ann, task, { title }, '"1"')),
      );
      expect(answers.map((answer) => answer.status).toSorted()).to.deep.equal([200, 412, 412]);
    });

    async function change(person: Person, { id }: Task, body: unknown, ifMatch?: string) {
      const headers = ifMatch === undefined ? {} : { 'if-match': ifMatch };
      return await harness.call('changeTask', { token: person.token, params: { id }, body, headers });
    }
  });

  describe('deleting', () => {
    it('hides the task from the public API, and responds with 410 to services', async () => {
      const task = await harness.createTask(ann);
      expect((await remove(ann, task, '*')).status).to.equal(204);
      const read = { token: ann.token, params: { id: task.id } };
      expect((await harness.call('getTask', read)).status).to.equal(404);
      expect((await harness.call('listActivity', read)).status).to.equal(404);
      expect((await remove(ann, task, '*')).status).to.equal(404);
      expect((await list({ creator: ann.id })).map((one) => one.id)).not.to.include(task.id);
      const internal = { token: await harness.auth.serviceToken('tasks:read'), params: { id: task.id } };
      expect((await harness.call('getInternalTask', internal)).status).to.equal(410);
    });

    it('lists the task as deleted when services read several tasks, in which unknown ones are missing', async () => {
      const [one, other, deleted] = [
        await harness.createTask(ann),
        await harness.createTask(ann),
        await harness.createTask(ann),
      ];
      await remove(ann, deleted, '*');
      const ids = [one, other, deleted, one, { id: crypto.randomUUID() }].map(({ id }) => id);
      const token = await harness.auth.serviceToken('tasks:read');
      const read = await harness.call('getInternalTasks', { token, query: { ids: ids.join() } });
      const { data, deleted: gone } = read.body as { data: { id: string }[]; deleted: string[] };
      expect(data.map(({ id }) => id)).to.have.members([one.id, other.id]);
      expect(gone).to.deep.equal([deleted.id]);
      const alone = await harness.call('getInternalTask', { token, params: { id: one.id } });
      expect(data).to.deep.include(alone.body);
    });

    it('shows services the epoch of the database once the suite is consistent in it', async () => {
      const task = await harness.createTask(ann);
      const internal = { token: await harness.auth.serviceToken('tasks:read'), params: { id: task.id } };
      expect((await harness.call('getInternalTask', internal)).body).not.to.have.property('source_epoch');
      const set = async (epochs: string) =>
        await query(harness.database.db.pool, `UPDATE source_epoch SET (epoch, consistent_epoch) = ${epochs}`);
      await set('(2, 2)');
      // without loops: a connection that one of them opens later would read the epoch below
      const restarted = await harness.replica({ PROCESS_ROLE: 'api' });
      await set('(1, 1)');
      const asService = { headers: { authorization: `Bearer ${internal.token}` } };
      const several = await fetch(new URL(`/tasks?ids=${task.id}`, restarted.http.url()), asService);
      expect(await several.json()).to.have.nested.property('data[0].source_epoch', 2);
      const answer = await fetch(new URL(`/tasks/${task.id}`, restarted.http.url()), asService);
      expect(schemas.internalTask.parse(await answer.json())).to.include({ id: task.id, source_epoch: 2 });
      expect(answer.headers.get('etag')).to.match(/^"e2-1-/);
      const read = await fetch(new URL(`/api/v1/tasks/${task.id}`, restarted.http.url()), {
        headers: { authorization: `Bearer ${ann.token}` },
      });
      expect(await read.json()).not.to.have.property('source_epoch');
    });

    it('requires If-Match, and is open to the creator, managers and admins', async () => {
      const task = await harness.createTask(ann);
      expect((await remove(ann, task)).status).to.equal(428);
      expect((await remove(ann, task, '"7"')).status).to.equal(412);
      expect((await remove(ben, task, '*')).status).to.equal(403);
      expect((await remove(manager, task, '"1"')).status).to.equal(204);
    });

    async function remove(person: Person, { id }: Task, ifMatch?: string) {
      const headers = ifMatch === undefined ? {} : { 'if-match': ifMatch };
      return await harness.call('deleteTask', { token: person.token, params: { id }, headers });
    }
  });

  async function list(query: Record<string, string>, person = ann): Promise<Task[]> {
    const answer = await harness.call('listTasks', { token: person.token, query });
    expect(answer.status).to.equal(200);
    return (answer.body as { data: Task[] }).data;
  }
});

function without({ updated_at: _, ...task }: Task): Omit<Task, 'updated_at'> {
  return task;
}
