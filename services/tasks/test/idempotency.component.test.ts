import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { codeOf, type Answer, type Task } from './support/api.ts';
import { tasksTeam, type Person, type TasksHarness } from './support/tasks-harness.ts';

describe('A request with an Idempotency-Key', () => {
  let harness: TasksHarness;
  let manager: Person;
  let ann: Person;
  let ben: Person;

  before(async () => ({ harness, manager, ann, ben } = await tasksTeam()));
  after(async () => await harness.stop());

  const create = async (key: string, body: Record<string, unknown>, person = manager) =>
    await harness.call('createTask', { token: person.token, body, headers: { 'idempotency-key': key } });

  const countTasks = async (title: string): Promise<number> => {
    const rows = await query(harness.database.db.pool, 'SELECT FROM tasks WHERE title = $1', [title]);
    return rows.length;
  };

  /** Each way of creating a task has its own statement. */
  const kinds: [string, () => Record<string, unknown>][] = [
    ['a draft', () => ({})],
    ['a task for a given user', () => ({ assignee_id: ann.id })],
    ['a task assigned at random', () => ({ assign: 'random' })],
  ];
  for (const [what, more] of kinds) {
    it(`creates ${what} once, and replays the first response with its ETag`, async () => {
      const [key, title] = [crypto.randomUUID(), crypto.randomUUID()];
      const first = await create(key, { title, ...more() });
      expect(first.status).to.equal(201);
      expect(first.headers.get('idempotency-replayed')).to.equal(null);
      const { id } = first.body as Task;
      // later changes to the task do not change the response
      await harness.transition(manager, { id }, 'cancelled');
      expectReplay(first, await create(key, { title, ...more() }));
      expect(await countTasks(title)).to.equal(1);
      const later = what === 'a draft' ? [] : ['assigned'];
      await harness.observer.expectAbout(id, ['created', 'changed', ...later, 'cancelled']);
    });

    it(`creates ${what} once when it is sent many times concurrently`, async () => {
      const [key, title] = [crypto.randomUUID(), crypto.randomUUID()];
      const body = { title, ...more() };
      const answers = await Promise.all(Array.from({ length: 12 }, async () => await create(key, body)));
      expect(answers.map((answer) => answer.status)).to.deep.equal(answers.map(() => 201));
      expect(new Set(answers.map((answer) => (answer.body as Task).id)).size).to.equal(1);
      expect(answers.filter((answer) => answer.headers.get('idempotency-replayed') === null)).to.have.length(1);
      expect(await countTasks(title)).to.equal(1);
    });
  }

  it('is recognised by the content of its body, not by the formatting', async () => {
    const [key, title] = [crypto.randomUUID(), crypto.randomUUID()];
    const first = await create(key, { title, labels: ['a'] });
    expectReplay(first, await create(key, { priority: 'normal', labels: ['a'], title: ` ${title} ` }));
    expectReplay(first, await create(`"${key}"`, { title, labels: ['a'] }));
  });

  it('is rejected when the key was used with a different body, path or operation', async () => {
    const key = crypto.randomUUID();
    const headers = { 'idempotency-key': key };
    const [task, other] = [await harness.createTask(manager), await harness.createTask(manager)];
    const assign = async (id: string, assignee_id: string) =>
      await harness.call('assignTask', { token: manager.token, params: { id }, body: { assignee_id }, headers });
    expect((await assign(task.id, ann.id)).status).to.equal(200);
    const refusals = [
      await assign(task.id, ben.id),
      await assign(other.id, ann.id),
      await create(key, { title: 'x' }),
      await create(key, { title: 'x', assign: 'random' }),
      await harness.call('shuffleTasks', { token: manager.token, headers }),
    ];
    for (const refused of refusals) {
      expect([refused.status, codeOf(refused)]).to.deep.equal([422, 'idempotency_key_reused']);
    }
    expect(await harness.read(ann, other)).to.deep.equal(other);
    expect(await harness.read(ann, task)).to.include({ assignee_id: ann.id });
  });

  it('has a key that is scoped to its sender: another user may use the same key', async () => {
    const key = crypto.randomUUID();
    const mine = await create(key, { title: 'mine' });
    const theirs = await create(key, { title: 'theirs' }, ann);
    expect([mine.status, theirs.status]).to.deep.equal([201, 201]);
    expect((theirs.body as Task).creator_id).to.equal(ann.id);
  });

  it('is carried out once for assign, transition and shuffle as well', async () => {
    const task = await harness.createTask(manager);
    const twice = async (
      operation: 'assignTask' | 'transitionTask' | 'shuffleTasks',
      person: Person,
      body?: unknown,
    ) => {
      const headers = { 'idempotency-key': crypto.randomUUID() };
      const given = { token: person.token, headers, ...(body === undefined ? {} : { params: { id: task.id }, body }) };
      expectReplay(await harness.call(operation, given), await harness.call(operation, given));
    };
    await twice('assignTask', manager, { assignee_id: ann.id });
    await twice('transitionTask', ann, { state: 'in_progress' });
    await twice('assignTask', manager, { assign: 'random' });
    await twice('transitionTask', manager, { state: 'cancelled' });
    await twice('shuffleTasks', manager);
    const { version } = await harness.read(ann, task);
    expect((await harness.activity(ann, task)).filter((entry) => entry.action === 'started')).to.have.length(1);
    expect(version).to.be.within(4, 5);
  });

  it('is replayed even when it would no longer be allowed', async () => {
    const eve = await harness.join('Eve', 'member');
    const key = crypto.randomUUID();
    const first = await create(key, { title: 'x', assignee_id: eve.id });
    await harness.become(eve, 'deleted');
    expectReplay(first, await create(key, { title: 'x', assignee_id: eve.id }));
  });

  it('can be retried under the same key after it was rejected', async () => {
    const key = crypto.randomUUID();
    expect((await create(key, { title: 'x', assignee_id: manager.id })).status).to.equal(422);
    expect((await create(key, { title: 'x', assignee_id: ann.id })).status).to.equal(201);
  });

  it('gets 409 with Retry-After while the first request does not end', async () => {
    const key = crypto.randomUUID();
    const release = Promise.withResolvers<void>();
    const taken = Promise.withResolvers<void>();
    const first = harness.database.db.transaction(async (tx) => {
      await query(tx, 'INSERT INTO idempotency_keys (actor_id, key, fingerprint) VALUES ($1, $2, $3)', [
        manager.id,
        key,
        Buffer.alloc(32),
      ]);
      taken.resolve();
      await release.promise;
      throw new Error('rolled back');
    });
    await taken.promise;
    const refused = await create(key, { title: 'x', assign: 'random' });
    expect([refused.status, codeOf(refused)]).to.deep.equal([409, 'idempotency_in_progress']);
    expect(refused.headers.get('retry-after')).to.equal('1');
    const waiting = create(key, { title: 'x' });
    release.resolve();
    await first.catch(() => undefined);
    expect((await waiting).status).to.equal(201);
  });

  it('requires a key of 1 to 255 visible characters', async () => {
    for (const key of ['', '   ', 'x'.repeat(256), 'tab\there', 'umläut', '""']) {
      const refused = await create(key, { title: 'x' });
      expect([refused.status, codeOf(refused)], JSON.stringify(key)).to.deep.equal([400, 'bad_idempotency_key']);
    }
    expect((await create('x'.repeat(255), { title: 'x' })).status).to.equal(201);
  });

  it('has its response kept for a day, then purged in batches', async () => {
    const { pool } = harness.database.db;
    const [kept, old] = [crypto.randomUUID(), crypto.randomUUID()];
    await create(kept, { title: 'x' });
    await create(old, { title: 'x' });
    const age = 'UPDATE idempotency_keys SET created_at = now() - $2::interval WHERE key = $1';
    await query(pool, age, [kept, '23 hours 59 minutes']);
    await query(pool, age, [old, '24 hours 1 minute']);
    await query(
      pool,
      `INSERT INTO idempotency_keys (actor_id, key, fingerprint, created_at)
       SELECT $1, 'old ' || number, '', now() - interval '2 days' FROM generate_series(1, 1500) AS number`,
      [manager.id],
    );
    expect(await harness.service.retention.tick()).to.equal('more');
    expect(await harness.service.retention.tick()).to.equal('idle');
    expect((await create(kept, { title: 'x' })).headers.get('idempotency-replayed')).to.equal('true');
    expect((await create(old, { title: 'y' })).status).to.equal(201);
    expect(await query(pool, "SELECT FROM idempotency_keys WHERE key LIKE 'old %'")).to.have.length(0);
  });

  function expectReplay(first: Answer, again: Answer): void {
    expect(again.headers.get('idempotency-replayed')).to.equal('true');
    expect(again.status).to.equal(first.status);
    expect(again.body).to.deep.equal(first.body);
    for (const name of ['etag', 'location']) expect(again.headers.get(name)).to.equal(first.headers.get(name));
  }
});
