import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import type { Task } from './support/api.ts';
import { tasksTeam, type Person, type TasksHarness } from './support/tasks-harness.ts';

describe('Filters and orders of the list of tasks', () => {
  let harness: TasksHarness;
  let manager: Person;
  let ann: Person;

  before(async () => ({ harness, manager, ann } = await tasksTeam()));
  after(async () => await harness.stop());

  async function list(given: Record<string, string | readonly string[]>, person = ann): Promise<Task[]> {
    const found: Task[] = [];
    let cursor: string | null | undefined;
    while (cursor !== null) {
      const text = new URLSearchParams(
        Object.entries({ ...given, limit: '2', ...(cursor === undefined ? {} : { cursor }) }).flatMap(([name, value]) =>
          [value].flat().map((one) => [name, one]),
        ),
      );
      const response = await fetch(`${harness.service.http.url()}/api/v1/tasks?${text.toString()}`, {
        headers: { authorization: `Bearer ${person.token}` },
      });
      const page = (await response.json()) as { data: Task[]; next_cursor: string | null };
      expect(response.status, JSON.stringify(page)).to.equal(200);
      found.push(...page.data);
      cursor = page.next_cursor;
    }
    return found;
  }
  const titles = async (given: Record<string, string | readonly string[]>, person = ann) =>
    (await list(given, person)).map(({ title }) => title).join(' ');

  it('find tasks by any or all of several labels, also after the labels have changed', async () => {
    const eve = await harness.join('Eve', 'member');
    const creator = eve.id;
    await harness.createTask(eve, { title: 'A', labels: ['home', 'Garten'] });
    const b = await harness.createTask(eve, { title: 'B', labels: ['home'] });
    const c = await harness.createTask(eve, { title: 'C', labels: ['work', 'a, b'] });
    expect(await titles({ creator, label: 'home' })).to.equal('B A');
    expect(await titles({ creator, label: ['home', 'work'] })).to.equal('C B A');
    expect(await titles({ creator, label_all: ['home', 'Garten'] })).to.equal('A');
    expect(await titles({ creator, label: 'a, b' })).to.equal('C');
    expect(await titles({ creator, label: 'garten' })).to.equal('');
    const at = { token: eve.token, headers: { 'if-match': '*' } };
    await harness.call('changeTask', { ...at, params: { id: b.id }, body: { labels: ['work'] } });
    await harness.call('deleteTask', { ...at, params: { id: c.id } });
    expect(await titles({ creator, label: 'home' })).to.equal('A');
    expect(await titles({ creator, label: 'work' })).to.equal('B');
  });

  it('find the tasks that are due from one instant until before another', async () => {
    const fay = await harness.join('Fay', 'member');
    for (const [title, due_at] of [
      ['A', '2030-01-01T00:00:00Z'],
      ['B', '2030-01-02T00:00:00Z'],
      ['C', null],
    ]) {
      await harness.createTask(fay, { title, due_at });
    }
    const due = async (given: Record<string, string>) => await titles({ creator: fay.id, ...given });
    expect(await due({ due_before: '2030-01-02T00:00:00Z' })).to.equal('A');
    expect(await due({ due_before: '2030-01-02T01:00:01+01:00' })).to.equal('B A');
    expect(await due({ due_after: '2030-01-02T00:00:00Z' })).to.equal('B');
    expect(await due({ due_after: '2030-01-01T00:00:00Z', due_before: '2030-01-02T00:00:00Z' })).to.equal('A');
  });

  it('sort by each field in both directions, across pages, with equal tasks by id and missing due dates last', async () => {
    const dan = await harness.join('Dan', 'member');
    for (const [title, due_at, priority] of [
      ['A', '2030-01-03T00:00:00Z', 'normal'],
      ['B', null, 'urgent'],
      ['C', '2030-01-01T00:00:00Z', 'low'],
      ['D', null, 'normal'],
      ['E', '2030-01-03T00:00:00Z', 'high'],
      ['F', null, 'urgent'],
    ]) {
      await harness.createTask(dan, { title, due_at, priority });
    }
    const [last] = await list({ creator: dan.id, sort: 'created_at' });
    await harness.call('changeTask', {
      ...{ token: dan.token, params: { id: last?.id ?? '' }, headers: { 'if-match': '*' } },
      body: { description: 'Later' },
    });
    const sorted = async (sort: string) => await titles({ creator: dan.id, sort });
    expect(await sorted('created_at')).to.equal('A B C D E F');
    expect(await sorted('-created_at')).to.equal('F E D C B A');
    expect(await sorted('updated_at')).to.equal('B C D E F A');
    expect(await sorted('-updated_at')).to.equal('A F E D C B');
    expect(await sorted('due_at')).to.equal('C A E B D F');
    expect(await sorted('-due_at')).to.equal('E A C F D B');
    expect(await sorted('priority')).to.equal('C A D E B F');
    expect(await sorted('-priority')).to.equal('F B E D A C');
    expect(await titles({ creator: dan.id, sort: '-due_at', priority: 'urgent' })).to.equal('F B');
  });

  it('reject a cursor of another order', async () => {
    for (let count = 0; count < 2; count++) await harness.createTask(ann, { priority: 'high' });
    const page = async (query: Record<string, string>) =>
      (await harness.call('listTasks', { token: ann.token, query: { limit: '1', ...query } })).body;
    const { next_cursor: cursor } = (await page({ sort: '-priority' })) as { next_cursor: string };
    expect(await page({ sort: '-priority', cursor })).to.have.property('data');
    for (const other of [{}, { sort: 'priority' }, { sort: '-due_at' }])
      expect(await page({ ...other, cursor })).to.have.property('code', 'bad_cursor');
  });

  it('respond with search_busy to lists that take too long or wait too long for a turn, and still serve others', async () => {
    const { pool } = harness.database.db;
    const locker = await pool.connect();
    try {
      await query(locker, 'BEGIN');
      await query(locker, 'LOCK TABLE task_labels IN ACCESS EXCLUSIVE MODE');
      const slow = Array.from({ length: 6 }, async () =>
        harness.call('listTasks', { token: manager.token, query: { label: 'home' } }),
      );
      const other = await harness.call('listTasks', { token: ann.token });
      expect(other.status).to.equal(200);
      for (const { status, body } of await Promise.all(slow))
        expect([status, (body as { code: string }).code]).to.deep.equal([503, 'search_busy']);
    } finally {
      await query(locker, 'ROLLBACK');
      locker.release();
    }
    expect((await harness.call('listTasks', { token: manager.token, query: { label: 'home' } })).status).to.equal(200);
  });
});
