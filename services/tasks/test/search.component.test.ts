import { waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { followingChanges } from '../src/postgres/search/follow.ts';
import { codeOf, type Task } from './support/api.ts';
import { searchTools } from './support/search.ts';
import { tasksTeam, type Person, type TasksHarness } from './support/tasks-harness.ts';

describe('The search for tasks', () => {
  let harness: TasksHarness;
  let manager: Person;
  let ann: Person;

  before(async () => ({ harness, manager, ann } = await tasksTeam({ PROCESS_ROLE: 'api' })));
  after(async () => await harness.stop());

  const sql = async <R extends object>(text: string) => await query<R>(harness.database.db.pool, text);
  const follow = async () => await searchTools(harness).follow();
  const progress = async () => await searchTools(harness).progress();

  async function search(given: Record<string, string>, person = ann) {
    const answer = await harness.call('listTasks', { token: person.token, query: given });
    expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
    return answer.body as { data: Task[]; next_cursor: string | null; as_of: string };
  }
  const titles = async (q: string, more: Record<string, string> = {}) =>
    (await search({ q, ...more })).data.map(({ title }) => title);
  const change = async ({ id }: Task, body: object) =>
    await harness.call('changeTask', { token: manager.token, params: { id }, headers: { 'if-match': '*' }, body });

  it('finds words in title, labels and description regardless of case and accents, those in the title first', async () => {
    await harness.createTask(ann, { title: 'Crème caramel', description: 'for the party' });
    await harness.createTask(ann, { title: 'Party', labels: ['CREME'] });
    await harness.createTask(ann, { title: 'Clean the kitchen', description: 'after the crème' });
    await follow();
    expect(await titles('creme')).to.deep.equal(['Crème caramel', 'Clean the kitchen', 'Party']);
    expect(await titles('CRÈME -kitchen ')).to.deep.equal(['Crème caramel', 'Party']);
    expect(await titles('"the party"')).to.deep.equal(['Crème caramel']);
    expect(await titles('car')).to.deep.equal(['Crème caramel']);
    expect(await titles('car ')).to.deep.equal([]);
    expect(await titles('kitchen or caramel ', { sort: 'created_at' })).to.deep.equal([
      'Crème caramel',
      'Clean the kitchen',
    ]);
    expect(await titles('creme', { label: 'CREME' })).to.deep.equal(['Party']);
    expect(await titles("kitchen:* & 'x' | !creme ")).to.deep.equal([]);
  });

  it('finds longer words by the beginning of a word with vowel signs, decomposed accents or hyphens', async () => {
    const words = ['हिंदीभाषा', 'Cafétasse', 'E-Mail-Adresse', 'x86-64', 'Groß-Gerauer', '2-fach']; // cspell:disable-line
    for (const title of words) await harness.createTask(ann, { title });
    await harness.createTask(ann, { title: 'a mail by e' });
    await follow();
    const beginnings = ['हिंदीभा', 'cafe\u0301ta', 'e-mai', 'x86-6', 'gross-ger', '2-fac']; // cspell:disable-line
    for (const [n, beginning] of beginnings.entries()) {
      expect(await titles(beginning), beginning).to.deep.equal([words[n]]);
      expect(await titles(`${beginning} `), beginning).to.deep.equal([]);
    }
    expect(await titles('e-mail-adr')).to.deep.equal(['E-Mail-Adresse']); // cspell:disable-line
    // a word that is finished is found, too
    for (const word of words) expect(await titles(word), word).to.deep.equal([word]);
  });

  it('follows changes and deletions, and pages in every order', async () => {
    const made: Task[] = [];
    for (const title of ['Walrus A', 'Walrus B', 'Walrus C', 'Other'])
      made.push(await harness.createTask(ann, { title }));
    const [a, b] = made as [Task, Task];
    await change(made[3]!, { description: 'about a walrus' });
    await follow();
    expect(await titles('walrus')).to.deep.equal(['Walrus C', 'Walrus B', 'Walrus A', 'Other']);
    await change(a, { title: 'Seal' });
    await harness.call('deleteTask', { token: manager.token, params: { id: b.id }, headers: { 'if-match': '*' } });
    // the search lags behind: it finds the former text, but never a deleted task
    expect(await titles('walrus')).to.deep.equal(['Walrus C', 'Seal', 'Other']);
    await follow();
    expect(await titles('walrus')).to.deep.equal(['Walrus C', 'Other']);
    for (const sort of ['relevance', '-created_at', 'updated_at']) {
      const first = await search({ q: 'walrus', sort, limit: '1' });
      const second = await search({ q: 'walrus', sort, limit: '1', cursor: first.next_cursor ?? '' });
      expect([...first.data, ...second.data].map(({ title }) => title).sort()).to.deep.equal(['Other', 'Walrus C']);
      expect(second.next_cursor).to.equal(null);
      const other = { q: 'seal', sort, limit: '1', cursor: first.next_cursor ?? '' };
      expect(codeOf(await harness.call('listTasks', { token: ann.token, query: other }))).to.equal('bad_cursor');
    }
    const { next_cursor } = await search({ q: 'walrus', limit: '1' });
    const [list] = JSON.parse(Buffer.from(next_cursor ?? '', 'base64url').toString()) as [string];
    // an altered cursor beyond the best matches
    for (const position of ['200', '201', '999999999']) {
      const cursor = Buffer.from(JSON.stringify([list, position])).toString('base64url');
      expect(await search({ q: 'walrus', limit: '1', cursor })).to.deep.include({ data: [], next_cursor: null });
    }
  });

  it('misses no change of a transaction that commits after later ones, and returns the time up to which it has all changes', async () => {
    await follow();
    const slow = await harness.database.db.pool.connect();
    try {
      const task = await harness.createTask(ann, { title: 'Quick' });
      await query(slow, 'BEGIN');
      await query(slow, "UPDATE tasks SET title = 'Heron' WHERE id = $1", [task.id]);
      const before = (await search({ q: 'heron' })).as_of;
      await harness.createTask(ann, { title: 'Later heron' });
      for (let round = 0; round < 4; round++) await harness.service.search.tick();
      // nothing is settled while the first transaction runs
      const during = await search({ q: 'heron' });
      expect(during.data).to.deep.equal([]);
      expect(during.as_of < (await now()), 'as_of is in the past').to.equal(true);
      await query(slow, 'COMMIT');
      await follow();
      const after = await search({ q: 'heron' });
      expect(after.data.map(({ title }) => title).sort()).to.deep.equal(['Heron', 'Later heron']);
      expect(after.as_of >= before).to.equal(true);
    } finally {
      await query(slow, 'ROLLBACK');
      slow.release();
    }
  });

  it('finds a task by a comment that has all the words, and says which comment it is', async () => {
    const task = await harness.createTask(ann, { title: 'Ostrich', description: 'runs' });
    const comment = async (body: string) => {
      const answer = await harness.call('addComment', { token: ann.token, params: { id: task.id }, body: { body } });
      expect(answer.status, JSON.stringify(answer.body)).to.equal(201);
      return (answer.body as { id: string }).id;
    };
    const at = { token: ann.token, params: { id: task.id } };
    const first = await comment('Who feeds the tapir?');
    const second = await comment('The tapir feeds itself at night.');
    await follow();
    const found = async (q: string, sort = 'relevance') =>
      (await search({ q, sort })).data.map((one) => [
        one.title,
        (one as Task & { found_in_comment?: string | null }).found_in_comment,
      ]);
    for (const sort of ['relevance', '-created_at', 'due_at']) {
      expect(await found('tapir', sort)).to.deep.equal([['Ostrich', second]]);
      expect(await found('tapir who ', sort)).to.deep.equal([['Ostrich', first]]);
      expect(await found('ostrich or tapir ', sort)).to.deep.equal([['Ostrich', null]]);
      // the words of two texts are not found together
      expect(await found('who night ', sort)).to.deep.equal([]);
      expect(await found('ostrich tapir ', sort)).to.deep.equal([]);
    }
    const call = async (name: 'changeComment' | 'deleteComment', id: string, body?: object) => {
      const params = { id: task.id, comment_id: id };
      const given = { ...at, params, headers: { 'if-match': '*' }, ...(body === undefined ? {} : { body }) };
      expect((await harness.call(name, given)).status).to.be.below(300);
    };
    await call('changeComment', second, { body: 'It feeds itself.' });
    await follow();
    expect(await found('tapir')).to.deep.equal([['Ostrich', first]]);
    await call('deleteComment', first);
    expect(await found('tapir')).to.deep.equal([]);
    await follow();
    expect(await found('itself')).to.deep.equal([['Ostrich', second]]);
  });

  it('misses no comment of a transaction that commits after later ones', async () => {
    const task = await harness.createTask(ann, { title: 'Pelican' });
    const slow = await harness.database.db.pool.connect();
    const add = (
      body: string,
    ): string => `INSERT INTO task_comments (task_id, author_id, body, mentions, created_at, updated_at)
      VALUES ('${task.id}', '${ann.id}', '${body}', '{}', now(), now())`;
    try {
      await follow();
      await query(slow, 'BEGIN');
      await query(slow, add('a slow toucan'));
      await sql(add('a quick toucan'));
      for (let round = 0; round < 4; round++) await harness.service.search.tick();
      const during = await search({ q: 'toucan' });
      expect(during.data).to.deep.equal([]);
      expect(during.as_of < (await now()), 'as_of is in the past').to.equal(true);
      await query(slow, 'COMMIT');
      await follow();
      expect(await titles('slow toucan')).to.deep.equal(['Pelican']);
      expect(await titles('quick toucan')).to.deep.equal(['Pelican']);
    } finally {
      await query(slow, 'ROLLBACK');
      slow.release();
    }
  });

  it('does not continue with numbers of another epoch, for example when a standby with fewer changes is promoted', async () => {
    await follow();
    const { db } = harness.database;
    let epoch = db.sourceEpoch().epoch;
    const tick = followingChanges({ ...db, sourceEpoch: () => ({ ...db.sourceEpoch(), epoch }) });
    // more than one batch, so that the follower keeps the number of the last one in memory
    await sql(`INSERT INTO tasks (title, description, state, priority, labels, creator_id, created_at, updated_at)
      SELECT 'Otter', '', 'draft', 'normal', '{}', '${ann.id}', now(), now() FROM generate_series(1, 501)`);
    await waitFor(async () => (await tick()) === 'more');
    const { tasks } = await progress();
    await sql(`DELETE FROM tasks WHERE change_no > ${tasks}`);
    await sql(`SELECT setval('task_changes', ${tasks})`);
    epoch += 1;
    for (let round = 0; round < 4; round++) await tick();
    expect((await progress()).tasks).to.equal(tasks);
  });

  it('needs a word to search for', async () => {
    for (const [given, code] of [
      [{ q: '-red' }, 'search_too_broad'],
      [{ q: '' }, 'invalid_input'],
      [{ q: 'x'.repeat(201) }, 'invalid_input'],
      [{ sort: 'relevance' }, 'invalid_input'],
    ] as const) {
      expect(codeOf(await harness.call('listTasks', { token: ann.token, query: given }))).to.equal(code);
    }
  });

  it('needs a word that the database keeps in the positive part of a query, wherever the query comes from', async () => {
    const task = await harness.createTask(ann, { title: 'List<String> of R&amp;D at http://a.example/b' });
    await follow();
    const at = { token: ann.token };
    for (const q of [
      '<b> -red',
      '</b>',
      '&amp; -red',
      '&#65; -red',
      '"<b>" -red',
      'http:// -red',
      'list or <b> -red',
      '<!--b--> -red ',
    ]) {
      expect(codeOf(await harness.call('listTasks', { ...at, query: { q } })), q).to.equal('search_too_broad');
      expect(codeOf(await harness.call('searchTasks', { ...at, body: { q } })), q).to.equal('search_too_broad');
      for (const sort of [null, 'manual'])
        expect(codeOf(await harness.call('createView', { ...at, body: { name: 'x', q, sort } })), q).to.equal(
          'search_too_broad',
        );
    }
    // these have words
    for (const q of ['List<String> -red', 'R&amp;D -red', 'http://a.example/b -red', 'a.example -red', 'list -<b> '])
      expect(
        (await search({ q, sort: 'created_at' })).data.map(({ id }) => id),
        q,
      ).to.deep.equal([task.id]);
  });

  it('finds nothing for a view whose saved query has no word', async () => {
    await harness.createTask(ann, { title: 'Yak' });
    await follow();
    const body = { name: 'x', q: 'fence -red', sort: 'manual' };
    const view = (await harness.call('createView', { token: ann.token, body })).body as { id: string };
    await sql(`UPDATE task_views SET q = '<b> -red' WHERE id = '${view.id}'`);
    const move = { token: ann.token, params: { id: (await harness.createTask(ann)).id } };
    const beside = (await search({ q: 'yak' })).data[0]?.id;
    expect(codeOf(await harness.call('moveTask', { ...move, body: { view_id: view.id, after_id: beside } }))).to.equal(
      'invalid_input',
    );
    expect(codeOf(await harness.call('listViewTasks', { token: ann.token, params: view }))).to.equal(
      'search_too_broad',
    );
  });

  it('suggests the tasks whose titles are most similar to a text, even with typing errors', async () => {
    for (const title of ['Zebra crossing', 'Repair the café zebra', 'Unrelated zoo', '100 % of the zebra_crossing']) {
      await harness.createTask(ann, { title });
    }
    await follow();
    const suggest = async (q: string) => {
      const answer = await harness.call('suggestTasks', { token: ann.token, query: { q } });
      expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
      return (answer.body as { data: Pick<Task, 'id' | 'title' | 'state'>[] }).data.map(({ title }) => title);
    };
    expect((await suggest('CAFÉ'))[0]).to.equal('Repair the café zebra');
    expect(await suggest('zebra')).to.have.members([
      'Zebra crossing',
      'Repair the café zebra',
      '100 % of the zebra_crossing',
    ]);
    expect((await suggest('zebra cross'))[0]).to.equal('Zebra crossing');
    expect(await suggest('zebra crosing')).to.include('Zebra crossing');
    // matches at the beginning of any word; the beginning of the title comes first
    expect((await suggest('ze'))[0]).to.equal('Zebra crossing');
    expect(await suggest('100 %')).to.deep.equal(['100 % of the zebra_crossing']);
    expect(await suggest('0_%')).to.deep.equal([]);
  });

  async function now(): Promise<string> {
    const [row] = await sql<{ now: string }>(
      `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS now`,
    );
    return row?.now ?? '';
  }
});
