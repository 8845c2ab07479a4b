import { waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { codeOf, type Answer, type Task } from './support/api.ts';
import { searchTools } from './support/search.ts';
import { tasksTeam, type Person, type TasksHarness } from './support/tasks-harness.ts';

describe('The limits of searches', () => {
  let harness: TasksHarness;
  let ann: Person;

  before(async () => ({ harness, ann } = await tasksTeam({ PROCESS_ROLE: 'api' })));
  after(async () => await harness.stop());

  /** Stores tasks with a title of their own, directly, because the API would take too long. */
  async function fill(title: string, count: number): Promise<void> {
    const text = `
      INSERT INTO tasks (title, description, state, priority, labels, creator_id, created_at, updated_at)
      SELECT $1 || ' ' || n, '', 'draft', 'normal', ARRAY[$1], $2, now(), now() FROM generate_series(1, $3::integer) AS n`;
    await query(harness.database.db.pool, text, [title, ann.id, count]);
  }

  /** Repeats a request while the machine is too busy for its limit. */
  async function patiently(request: () => Promise<Answer>): Promise<Answer> {
    let answer: Answer | undefined;
    await waitFor(async () => {
      answer = await request();
      return answer.status !== 503;
    });
    if (answer === undefined) throw new Error('there is no answer');
    return answer;
  }

  async function pages(given: Record<string, string>): Promise<number[]> {
    const sizes: number[] = [];
    let cursor: string | null = null;
    do {
      const found: Record<string, string> = cursor === null ? {} : { cursor };
      const call = { token: ann.token, query: { ...given, ...found } };
      const answer = await patiently(async () => await harness.call('listTasks', call));
      expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
      const page = answer.body as { data: Task[]; next_cursor: string | null };
      sizes.push(page.data.length);
      cursor = page.next_cursor;
    } while (cursor !== null);
    return sizes;
  }

  it('are 200 tasks by relevance, on pages of any size, and none for other orders', async () => {
    await fill('Quokka', 203);
    await searchTools(harness).follow();
    expect(await pages({ q: 'quokka', limit: '100' })).to.deep.equal([100, 100]);
    // the last page is shorter
    expect(await pages({ q: 'quokka', limit: '90', sort: 'relevance' })).to.deep.equal([90, 90, 20]);
    expect(await pages({ q: 'quokka', limit: '100', sort: '-created_at' })).to.deep.equal([100, 100, 3]);
  });

  it('are 10,000 tasks for a view in manual order, which is neither created nor switched beyond them', async () => {
    await fill('many', 10_001);
    const at = { token: ann.token };
    const filter = { field: 'label', op: 'eq', value: 'many' };
    const create = async (sort: string | null) =>
      await patiently(async () => await harness.call('createView', { ...at, body: { name: 'Many', filter, sort } }));
    expect(codeOf(await create('manual'))).to.equal('view_too_large');
    const { id, version } = (await create(null)).body as { id: string; version: number };
    const change = { ...at, params: { id }, headers: { 'if-match': '*' }, body: { sort: 'manual' } };
    const switchIt = async () => await patiently(async () => await harness.call('changeView', change));
    expect(codeOf(await switchIt())).to.equal('view_too_large');
    expect((await harness.call('getView', { ...at, params: { id } })).body).to.deep.include({ sort: null, version });
    // one fewer can be ordered
    await query(harness.database.db.pool, "DELETE FROM tasks WHERE title = 'many 1'");
    expect((await switchIt()).status).to.equal(200);
  });

  it('are half a second for q, suggestions, trees and views, after which the response is search_busy', async () => {
    const { pool } = harness.database.db;
    const at = { token: ann.token };
    // no task has it, so that only the locks below make a search slow, however busy the machine is
    const tree = { field: 'label', op: 'eq', value: 'attic' };
    const view = async (body: object) => {
      const answer = await harness.call('createView', { ...at, body: { name: 'x', ...body } });
      return { id: (answer.body as { id: string }).id };
    };
    const found = await view({ q: 'quokka', sort: 'relevance' });
    const ordered = await view({ filter: tree, sort: 'manual' });
    const searches: Record<string, () => Promise<Answer>> = {
      q: async () => await harness.call('listTasks', { ...at, query: { q: 'quokka' } }),
      'q in another order': async () =>
        await harness.call('listTasks', { ...at, query: { q: 'quokka', sort: 'due_at' } }),
      suggest: async () => await harness.call('suggestTasks', { ...at, query: { q: 'quokka' } }),
      'q with a tree': async () => await harness.call('searchTasks', { ...at, body: { q: 'quokka' } }),
      tree: async () => await harness.call('searchTasks', { ...at, body: { filter: tree } }),
      'view with q': async () => await harness.call('listViewTasks', { ...at, params: found }),
      'view with a tree': async () => await harness.call('listViewTasks', { ...at, params: ordered }),
      'new view': async () =>
        await harness.call('createView', { ...at, body: { name: 'x', filter: tree, sort: 'manual' } }),
    };
    const locker = await pool.connect();
    try {
      await query(locker, 'BEGIN');
      await query(locker, 'LOCK TABLE task_search, task_labels IN ACCESS EXCLUSIVE MODE');
      // as many at once as take turns, so that each exceeds its own limit and does not only wait for its turn
      const names = Object.keys(searches);
      for (const some of [names.slice(0, 4), names.slice(4)]) {
        const answers = await Promise.all(some.map(async (name) => await searches[name]?.()));
        for (const [n, answer] of answers.entries()) {
          expect([answer?.status, answer && codeOf(answer)], some[n]).to.deep.equal([503, 'search_busy']);
          expect(answer?.headers.get('retry-after'), some[n]).to.equal('1');
          expect(answer?.body, some[n]).to.have.property('detail').that.contains('Narrow the filter');
        }
      }
      expect((await harness.call('listTasks', at)).status).to.equal(200);
    } finally {
      await query(locker, 'ROLLBACK');
      locker.release();
    }
    for (const [name, search] of Object.entries(searches))
      expect((await patiently(search)).status, name).to.be.below(300);
  });
});
