// cspell:disable -- words of other languages
import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import type { Task } from './support/api.ts';
import { searchTools } from './support/search.ts';
import { tasksTeam, type Person, type TasksHarness } from './support/tasks-harness.ts';

describe('Words with digits and accents', () => {
  let harness: TasksHarness;
  let ann: Person;

  before(async () => ({ harness, ann } = await tasksTeam({ PROCESS_ROLE: 'api' })));
  after(async () => await harness.stop());

  const follow = async () => await searchTools(harness).follow();
  const sql = async (text: string) => await query(harness.database.db.pool, text);
  async function titles(q: string): Promise<string> {
    const answer = await harness.call('listTasks', { token: ann.token, query: { q, sort: 'created_at' } });
    expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
    return (answer.body as { data: Task[] }).data.map(({ title }) => title).join(', ');
  }
  async function comment({ id }: Task, body: string): Promise<void> {
    const answer = await harness.call('addComment', { token: ann.token, params: { id }, body: { body } });
    expect(answer.status, JSON.stringify(answer.body)).to.equal(201);
  }

  it('are found without accents, in every text of a task', async () => {
    await harness.createTask(ann, { title: 'Büro2', labels: ['Küche3'], description: 'next to Étage-4' });
    await comment(await harness.createTask(ann, { title: 'Discussed' }), 'Who cleans 5Flüge?');
    await follow();
    for (const q of ['buro2 ', 'Büro2', 'kuche3', 'etage-4 ', 'buro']) expect(await titles(q), q).to.equal('Büro2');
    expect(await titles('5fluge ')).to.equal('Discussed');
  });

  it('are also found after the update in texts that were indexed before, together with later changes', async () => {
    // as it was before
    await sql(
      'ALTER TEXT SEARCH CONFIGURATION task_text ALTER MAPPING FOR numword, numhword, hword_numpart WITH simple',
    );
    await harness.createTask(ann, { title: 'Gerät7', labels: ['Säge8'], description: 'Übergabe-9b' });
    await comment(await harness.createTask(ann, { title: 'Commented' }), 'Gerät7 is broken.');
    await harness.createTask(ann, { title: 'Plain words' });
    await follow();
    expect(await titles('gerat7 ')).to.equal('');
    // the follower has not seen this one
    await harness.createTask(ann, { title: 'Gerät7 again' });
    const file = new URL('../migrations/0046_accents_in_words_with_digits.sql', import.meta.url);
    const statements = await readFile(file, 'utf8');
    await harness.database.db.transaction(async (tx) => await query(tx, statements));
    expect(await titles('gerat7 ')).to.equal('Gerät7, Commented');
    for (const q of ['sage8 ', 'ubergabe-9b ']) expect(await titles(q), q).to.equal('Gerät7');
    expect(await titles('plain ')).to.equal('Plain words');
    await follow();
    expect(await titles('gerat7 ')).to.equal('Gerät7, Commented, Gerät7 again');
    expect(await titles('"Gerät7 again"')).to.equal('Gerät7 again');
  });
});
