import { expect } from 'chai';
import { codeOf, type Answer } from './support/api.ts';
import { tasksHarness, type Person, type TasksHarness } from './support/tasks-harness.ts';

describe('The limits of one user', () => {
  let harness: TasksHarness;
  let mona: Person;
  let max: Person;
  before(async () => {
    harness = await tasksHarness({ TASK_CREATIONS_PER_MINUTE: '5', SHUFFLES_PER_MINUTE: '2' });
    mona = await harness.join('Mona', 'manager');
    max = await harness.join('Max', 'manager');
    await harness.join('Ann', 'member');
  });
  after(() => harness.stop());

  const operations: [string, number, (who: Person) => Promise<Answer>][] = [
    ['createTask', 5, ({ token }) => harness.call('createTask', { token, body: { title: 'Again', assign: 'random' } })],
    ['shuffleTasks', 2, ({ token }) => harness.call('shuffleTasks', { token })],
  ];
  for (const [operation, most, ask] of operations) {
    it(`reject ${operation} with Retry-After beyond ${most} a minute, while other users and reads are unaffected`, async () => {
      const answers = await Promise.all(Array.from({ length: most + 3 }, () => ask(mona)));
      const refused = answers.filter(({ status }) => status === 429);
      expect(refused).to.have.length(3);
      for (const answer of refused) {
        expect(codeOf(answer)).to.equal('rate_limited');
        expect(Number(answer.headers.get('retry-after'))).to.be.within(1, 60);
      }
      expect(answers.filter(({ status }) => status < 300)).to.have.length(most);
      expect((await ask(max)).status).to.be.below(300);
      expect((await harness.call('listTasks', { token: mona.token })).status).to.equal(200);
    });
  }

  it('store nothing of a rejected creation', async () => {
    const count = async () => (await harness.database.db.pool.query('SELECT count(*) FROM tasks')).rows[0].count;
    const before = await count();
    expect((await harness.call('createTask', { token: mona.token, body: { title: 'Too much' } })).status).to.equal(429);
    expect(await count()).to.equal(before);
  });

  it('repeat the first response of a shuffle by its key, although the limit is used up', async () => {
    const { token } = await harness.join('Mia', 'manager');
    const shuffle = async (key: string) =>
      await harness.call('shuffleTasks', { token, headers: { 'idempotency-key': key } });
    const first = await shuffle('one');
    expect([first.status, (await shuffle('two')).status, (await shuffle('three')).status]).to.deep.equal([
      200, 200, 429,
    ]);
    const repeated = await shuffle('one');
    expect([repeated.status, repeated.body]).to.deep.equal([200, first.body]);
    // a refusal does not use up the key, and a request without a key is also refused
    expect((await shuffle('three')).status).to.equal(429);
    expect((await harness.call('shuffleTasks', { token })).status).to.equal(429);
  });
});
