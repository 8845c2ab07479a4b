import { query } from '@taskwire/postgres';
import { waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import { decodeToken, encodeToken } from '../src/http/sync-tokens.ts';
import type { Position } from '../src/app/sync/ports.ts';
import { codeOf } from './support/api.ts';
import { startCopy } from './support/copy.ts';
import { createProject, setMember } from './support/projects.ts';
import { tasksTeam, type Person, type TasksHarness } from './support/tasks-harness.ts';

describe('The sync feeds', () => {
  let harness: TasksHarness;
  let manager: Person;
  let ann: Person;
  let ben: Person;

  before(async () => ({ harness, manager, ann, ben } = await tasksTeam({ PROCESS_ROLE: 'api' })));
  after(async () => await harness.stop());

  const follow = (person = ann, limit = 100) => startCopy(harness, 'syncTasks', person, limit);
  const sql = async <R extends object>(text: string, values: unknown[] = []) =>
    await query<R>(harness.database.db.pool, text, values);
  const any = { 'if-match': '*' };
  const remove = async ({ id }: { id: string }) =>
    await harness.call('deleteTask', { token: manager.token, params: { id }, headers: any });
  const rename = async ({ id }: { id: string }, title: string) =>
    await harness.call('changeTask', { token: manager.token, params: { id }, headers: any, body: { title } });
  const ask = async (token: string, { token: access } = ann, feed: 'syncTasks' | 'syncPeople' = 'syncTasks') =>
    await harness.call(feed, { token: access, query: { token } });

  it('give a new copy every task that is not deleted, in pages, with ids instead of names', async () => {
    const made = [];
    for (let n = 0; n < 5; n++) made.push(await harness.createTask(ann, { labels: [`n${n}`] }));
    await remove(made[0]!);
    const copy = follow(ann, 2);
    const first = await copy.read();
    expect(first).to.include({ more: true });
    expect(first.data).to.have.length(2);
    await copy.catchUp();
    expect([...copy.items.keys()].toSorted()).to.deep.equal(
      made
        .slice(1)
        .map(({ id }) => id)
        .toSorted(),
    );
    const { creator, assignee, job, ...same } = await harness.read(ann, made[1]!);
    expect([creator.id, assignee, job]).to.deep.equal([ann.id, null, null]);
    expect(copy.items.get(made[1]!.id)).to.deep.equal({ ...same, job_id: null });
  });

  it('continue with the current state of what changed, and with what was deleted', async () => {
    const [changed, deleted, other] = [
      await harness.createTask(ann),
      await harness.createTask(ann),
      await harness.createTask(ann),
    ];
    const copy = follow();
    await copy.catchUp();
    await rename(changed, 'Once');
    await rename(changed, 'Twice');
    await remove(deleted);
    const page = await copy.read();
    expect(page.data).to.deep.equal([
      { ...(copy.items.get(changed.id) ?? {}), title: 'Twice' },
      { id: deleted.id, deleted: true },
    ]);
    expect(copy.items.has(other.id)).to.equal(true);
    expect(await copy.read()).to.deep.include({ data: [], more: false });
  });

  it('report a deletion even after the task was removed permanently', async () => {
    const task = await harness.createTask(ann);
    const copy = follow();
    await copy.catchUp();
    await remove(task);
    await sql(`SELECT remove_deleted_tasks(interval '0', 1000)`);
    expect(await sql('SELECT FROM tasks WHERE id = $1', [task.id])).to.have.length(0);
    await copy.catchUp();
    expect(copy.items.has(task.id)).to.equal(false);
    const later = follow();
    expect((await later.read({ limit: '500' })).data.some(({ id }) => id === task.id)).to.equal(false);
  });

  it('pass over at most 5,000 removals in a page, also for a reader of every task', async () => {
    const [kept, deleted] = [await harness.createTask(ann), await harness.createTask(ann)];
    const copies = [follow(ann), follow(manager)];
    for (const copy of copies) await copy.catchUp();
    // tombstones of a task that each of them still reads
    await sql(
      `INSERT INTO task_tombstones (change_no, task_id, deleted_at, project_id)
       SELECT nextval('task_changes'), $1, clock_timestamp(), NULL FROM generate_series(1, 10500)`,
      [kept.id],
    );
    await remove(deleted);
    for (const copy of copies) {
      const pages = [await copy.read(), await copy.read(), await copy.read()];
      expect(pages.map(({ data, more }) => [data, more])).to.deep.equal([
        [[], true],
        [[], true],
        [[{ id: deleted.id, deleted: true }], false],
      ]);
      expect(copy.items.has(kept.id)).to.equal(true);
    }
  });

  it('never skip a change that commits after later ones', async () => {
    const [slow, fast] = [await harness.createTask(ann), await harness.createTask(ann)];
    const copy = follow();
    await copy.catchUp();
    const client = await harness.database.db.pool.connect();
    try {
      await client.query('BEGIN');
      await client.query(`UPDATE tasks SET title = 'Slow' WHERE id = $1`, [slow.id]);
      await rename(fast, 'Fast');
      const before = await copy.read();
      expect(before.data, 'nothing is settled while the first change is open').to.deep.equal([]);
      await client.query('COMMIT');
    } finally {
      client.release();
    }
    await copy.catchUp();
    expect(copy.items.get(slow.id)).to.include({ title: 'Slow' });
    expect(copy.items.get(fast.id)).to.include({ title: 'Fast' });
  });

  it('wait for a change, more clients at a time than there are connections, and end the wait in time', async () => {
    const copies = Array.from({ length: 25 }, () => follow());
    for (const copy of copies) await copy.catchUp();
    const waits = copies.map(async (copy) => await copy.read({ wait: '20' }));
    const idle = (await copies[0]!.read({ wait: '1' })).data;
    expect(idle, 'a wait without a change').to.deep.equal([]);
    const task = await harness.createTask(ann);
    for (const page of await Promise.all(waits)) expect(page.data.map(({ id }) => id)).to.deep.equal([task.id]);
  });

  it('refuse tokens of another user, of another feed, and other text', async () => {
    const copy = follow();
    await copy.catchUp();
    const token = copy.token()!;
    expect((await ask(token)).status).to.equal(200);
    for (const answer of [
      await ask(token, ben),
      await ask(token, ann, 'syncPeople'),
      await ask('abc'),
      await ask(Buffer.from('[1,"tasks"]').toString('base64url')),
    ]) {
      expect([answer.status, codeOf(answer)]).to.deep.equal([400, 'bad_cursor']);
    }
  });

  it('expire tokens of another role, of another epoch, and those older than 120 days', async () => {
    const copy = follow();
    await copy.catchUp();
    const given = decodeToken('tasks', ann.id, copy.token())!;
    const at = (days: number) => new Date(Date.parse(given.since) - days * 86_400_000).toISOString();
    const answers = async (change: Partial<Position>) =>
      await ask(encodeToken('tasks', ann.id, { ...given, ...change }));
    expect((await answers({ since: at(119) })).status).to.equal(200);
    for (const change of [{ since: at(121) }, { role: 'admin' }, { epoch: given.epoch + 1 }]) {
      const answer = await answers(change);
      expect([answer.status, codeOf(answer)], JSON.stringify(change)).to.deep.equal([410, 'sync_token_expired']);
    }
  });

  it('keep the age of a copy that is not complete, so that no removal is missed between its pages', async () => {
    for (let n = 0; n < 3; n++) await harness.createTask(ann);
    const copy = follow(ann, 1);
    await copy.catchUp();
    const old = decodeToken('tasks', ann.id, copy.token())!;
    const since = new Date(Date.parse(old.since) - 86_400_000).toISOString();
    const token = encodeToken('tasks', ann.id, { ...old, after: 0, since });
    const page = (await harness.call('syncTasks', { token: ann.token, query: { token, limit: '1' } })).body;
    expect(page).to.include({ more: true });
    expect(decodeToken('tasks', ann.id, (page as { next_token: string }).next_token)).to.include({ since });
  });

  it('list the names of users, including renamed and deleted ones, and repeat none for other changes', async () => {
    const people = startCopy(harness, 'syncPeople', ann, 2);
    const eve = await harness.join('Eve', 'member');
    await people.catchUp();
    expect(people.items.get(ben.id)).to.deep.equal({ id: ben.id, name: 'Ben' });
    await harness.become(eve, 'manager');
    expect((await people.read()).data).to.deep.equal([]);
    await harness.rename(eve, 'Eva');
    await people.catchUp();
    expect(people.items.get(eve.id)).to.include({ name: 'Eva' });
    await harness.become(eve, 'deleted');
    await people.catchUp();
    expect(people.items.has(eve.id)).to.equal(false);
  });

  it('end the copy of a user whose role has changed', async () => {
    const eve = await harness.join('Eve', 'manager');
    const copy = follow(eve);
    await copy.catchUp();
    await harness.become(eve, 'member');
    const answer = await ask(copy.token()!, eve);
    expect([answer.status, codeOf(answer)]).to.deep.equal([410, 'sync_token_expired']);
  });

  describe('while a request waits', () => {
    type FeedName = 'tasks' | 'people';
    const operations = { tasks: 'syncTasks', people: 'syncPeople' } as const;

    /** Starts a request for the next changes; resolves with its future answer once it waits. */
    async function wait(feed: FeedName, { token: access }: Person, token: string) {
      const answer = harness.call(operations[feed], { token: access, query: { token, wait: '25' } });
      const { changes } = harness.service.sync;
      await waitFor(async () => changes.waiting().get(feed) === 1, { what: 'the request to wait' });
      return { answer };
    }

    it('give a demoted or deleted user nothing more of any project', async () => {
      const secret = await createProject(harness, manager);
      for (const [change, refusal] of [
        ['member', [410, 'sync_token_expired']],
        ['deleted', [401, 'access_revoked']],
      ] as const) {
        const eve = await harness.join('Eve', 'manager');
        const copy = follow(eve);
        await copy.catchUp();
        const { answer } = await wait('tasks', eve, copy.token()!);
        await harness.become(eve, change);
        await harness.createTask(manager, { project_id: secret.id });
        const given = await answer;
        expect([given.status, codeOf(given)], change).to.deep.equal(refusal);
      }
    });

    it('give no more names to a deleted user, and continue after a change of the role', async () => {
      const eve = await harness.join('Eve', 'manager');
      const people = startCopy(harness, 'syncPeople', eve);
      await people.catchUp();
      const { answer: next } = await wait('people', eve, people.token()!);
      await harness.become(eve, 'member');
      await harness.rename(ben, 'Benedict');
      expect((await next).body).to.deep.include({ data: [{ id: ben.id, name: 'Benedict' }] });
      await people.catchUp();
      const { answer: last } = await wait('people', eve, people.token()!);
      await harness.become(eve, 'deleted');
      expect(codeOf(await last)).to.equal('access_revoked');
    });
  });

  it('measure their age', async () => {
    const { metrics } = harness.service.telemetry;
    await waitFor(async () => {
      const age = await metrics.getSingleMetric('tasks_sync_age_seconds')!.get();
      return age.values.length === 2 && age.values.every(({ value }) => value >= 0 && value < 1);
    });
  });

  // the last one, because a new copy of the manager has to read this project
  describe('of a project that was gained', () => {
    it('pass over at most 5,000 tasks in a page, when most have changed since', async () => {
      const eve = await harness.join('Eve', 'member');
      const { id } = await createProject(harness, manager);
      const fill = async (count: number) =>
        await sql(
          `INSERT INTO tasks (title, description, state, priority, labels, creator_id, project_id, created_at, updated_at)
           SELECT 'Task ' || n, '', 'draft', 'normal', '{}', $1, $2, now(), now() FROM generate_series(1, $3::integer) AS n`,
          [manager.id, id, count],
        );
      await fill(5);
      const copy = follow(eve, 500);
      await copy.catchUp();
      await setMember(harness, manager, { id }, eve, 'viewer');
      await fill(5_500);
      const pages = [await copy.read(), await copy.read(), await copy.read()];
      expect(pages[0]).to.deep.include({ data: [], projects: [{ project_id: id, access: 'gained' }], more: true });
      // the project as it was when it was gained, with the first of two parts that are passed over
      expect(pages.slice(1).map(({ data, more }) => [data.length, more])).to.deep.equal([
        [5, true],
        [0, true],
      ]);
      await copy.catchUp();
      expect([...copy.items.values()].filter(({ project_id }) => project_id === id)).to.have.length(5_505);
    });
  });
});
