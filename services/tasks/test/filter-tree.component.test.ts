import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { codeOf, type Task } from './support/api.ts';
import { tasksTeam, type Person, type TasksHarness } from './support/tasks-harness.ts';

describe('The search with a tree of conditions', () => {
  let harness: TasksHarness;
  let manager: Person;
  let eve: Person;

  before(async () => {
    ({ harness, manager } = await tasksTeam());
    eve = await harness.join('Eve', 'member');
    const soon = new Date(Date.now() + 86_400_000).toISOString();
    const later = new Date(Date.now() + 30 * 86_400_000).toISOString();
    const make = async (title: string, fields: object) => await harness.createTask(eve, { title, ...fields });
    await make('A', { labels: ['home'], priority: 'high', due_at: soon });
    await make('B', { labels: ['home', 'work'], due_at: later });
    await make('C', { labels: ['Work'], priority: 'urgent' });
    const d = await make('D', {});
    await harness.assign(manager, d, eve);
  });
  after(async () => await harness.stop());

  async function search(body: object, person = eve): Promise<{ data: Task[]; next_cursor: string | null }> {
    const answer = await harness.call('searchTasks', { token: person.token, body });
    expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
    return answer.body as { data: Task[]; next_cursor: string | null };
  }
  const condition = (field: string, op: string, value: unknown) => ({ field, op, value });
  const own = condition('creator', 'eq', 'me');
  const titles = async (filter: object, sort = 'created_at') =>
    (await search({ filter: { and: [own, filter] }, sort })).data.map(({ title }) => title).join(' ');

  it('finds the tasks that match each condition', async () => {
    const cases: [object, string][] = [
      [condition('label', 'eq', 'home'), 'A B'],
      [condition('label', 'in', ['work', 'Work']), 'B C'],
      [condition('label', 'ne', 'home'), 'C D'],
      [condition('priority', 'in', ['high', 'urgent']), 'A C'],
      [condition('state', 'ne', 'draft'), 'D'],
      [condition('kind', 'eq', 'job'), ''],
      [condition('assignee', 'eq', 'me'), 'D'],
      [condition('assignee', 'in', ['none', 'me']), 'A B C D'],
      [condition('assignee', 'ne', 'me'), 'A B C'],
      [condition('due_at', 'lt', 'P7D'), 'A'],
      [condition('due_at', 'eq', null), 'C D'],
      // a missing due date is not before any time
      [{ not: condition('due_at', 'lt', 'P7D') }, 'B C D'],
      [condition('created_at', 'gte', '-PT1H'), 'A B C D'],
      [condition('updated_at', 'gt', 'PT1H'), ''],
      [{ or: [condition('label', 'eq', 'Work'), condition('due_at', 'gt', 'P7D')] }, 'B C'],
      [{ and: [condition('label', 'eq', 'home'), { not: condition('priority', 'eq', 'high') }] }, 'B'],
    ];
    for (const [filter, found] of cases) expect(await titles(filter), JSON.stringify(filter)).to.equal(found);
    expect(await titles(condition('due_at', 'ne', null), '-due_at')).to.equal('B A');
  });

  it('returns pages, with cursors that belong to the filter, the order and the caller', async () => {
    const body = { filter: own, sort: '-due_at', limit: 3 };
    const first = await search(body);
    const second = await search({ ...body, cursor: first.next_cursor });
    expect([...first.data, ...second.data].map(({ title }) => title).join(' ')).to.equal('B A D C');
    expect(second.next_cursor).to.equal(null);
    const others: [object, Person][] = [
      [{ ...body, filter: { not: own } }, eve],
      [{ ...body, sort: 'due_at' }, eve],
      [body, manager],
    ];
    for (const [other, person] of others) {
      const given = { token: person.token, body: { ...other, cursor: first.next_cursor } };
      expect(codeOf(await harness.call('searchTasks', given))).to.equal('bad_cursor');
    }
  });

  it('names the node at fault', async () => {
    const body = { filter: { and: [own, condition('state', 'eq', 'done')] } };
    const { status, body: answer } = await harness.call('searchTasks', { token: eve.token, body });
    expect(status).to.equal(422);
    expect((answer as { errors: object[] }).errors).to.deep.equal([
      {
        field: 'filter.and.1.value',
        code: 'invalid_value',
        message: 'must be one of draft, assigned, in_progress, completed, cancelled',
      },
    ]);
  });
});

describe('The list of labels', () => {
  let harness: TasksHarness;
  let ann: Person;

  before(async () => ({ harness, ann } = await tasksTeam()));
  after(async () => await harness.stop());

  it('has the labels in use with the number of their tasks, page by page, or only those with a prefix', async () => {
    for (const labels of [['home', 'Garden'], ['home', '100 %'], ['hobby'], ['gone']]) {
      await harness.createTask(ann, { labels });
    }
    const tasks = (await harness.call('listTasks', { token: ann.token, query: { label: 'gone' } })).body;
    const [gone] = (tasks as { data: Task[] }).data;
    const at = { token: ann.token, params: { id: gone?.id ?? '' }, headers: { 'if-match': '*' } };
    await harness.call('deleteTask', at);
    const list = async (given: Record<string, string>) => {
      const found: string[] = [];
      let cursor: string | null | undefined;
      while (cursor !== null) {
        const page = { ...given, limit: '2', ...(cursor === undefined ? {} : { cursor }) };
        const answer = await harness.call('listLabels', { token: ann.token, query: page });
        const body = answer.body as { data: { label: string; count: number }[]; next_cursor: string | null };
        found.push(...body.data.map(({ label, count }) => `${label}: ${count}`));
        cursor = body.next_cursor;
      }
      return found;
    };
    expect(await list({})).to.deep.equal(['100 %: 1', 'Garden: 1', 'hobby: 1', 'home: 2']);
    expect(await list({ prefix: 'ho' })).to.deep.equal(['hobby: 1', 'home: 2']);
    expect(await list({ prefix: 'z' })).to.deep.equal([]);
    await query(
      harness.database.db.pool,
      `INSERT INTO task_labels (label, task_id) SELECT 'many', uuidv7() FROM generate_series(1, 10001)`,
    );
    expect(await list({ prefix: 'many' })).to.deep.equal(['many: 10000']);
  });
});
