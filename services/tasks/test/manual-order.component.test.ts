import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { codeOf, type Answer, type Task } from './support/api.ts';
import { tasksTeam, type Person, type TasksHarness } from './support/tasks-harness.ts';

type Placed = Task & { position: string | null };

describe('A view in manual order', () => {
  let harness: TasksHarness;
  let manager: Person;
  let ann: Person;
  let ben: Person;
  before(async () => ({ harness, manager, ann, ben } = await tasksTeam()));
  after(async () => await harness.stop());

  /** A view of tasks with a label of its own. */
  async function board(
    count: number,
    sort: string | null = 'manual',
  ): Promise<{ id: string; label: string; tasks: Task[] }> {
    const label = crypto.randomUUID();
    const tasks: Task[] = [];
    for (let n = 0; n < count; n++) tasks.push(await add(label, `${n}`));
    const body = { name: 'Board', shared: true, sort, filter: { field: 'label', op: 'eq', value: label } };
    const answer = await harness.call('createView', { token: ann.token, body });
    expect(answer.status).to.equal(201);
    return { id: (answer.body as { id: string }).id, label, tasks };
  }

  const add = async (label: string, title: string) => await harness.createTask(ann, { title, labels: [label] });

  async function shown({ id }: { id: string }, as = ann, limit = '100'): Promise<Placed[]> {
    const all: Placed[] = [];
    let cursor: string | null = null;
    do {
      const given: Record<string, string> = cursor === null ? { limit } : { limit, cursor };
      const answer = await harness.call('listViewTasks', { token: as.token, params: { id }, query: given });
      expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
      const page = answer.body as { data: Placed[]; next_cursor: string | null };
      all.push(...page.data);
      cursor = page.next_cursor;
    } while (cursor !== null);
    return all;
  }
  const titles = async (view: { id: string }, as = ann, limit?: string) =>
    (await shown(view, as, limit)).map(({ title }) => title).join(' ');

  type Beside = { before?: Task | undefined; after?: Task | undefined };
  async function move(
    view: { id: string },
    task: Task | undefined,
    { before: next, after: last }: Beside,
    as = ann,
  ): Promise<Answer> {
    const body = { view_id: view.id, ...(next && { before_id: next.id }), ...(last && { after_id: last.id }) };
    return await harness.call('moveTask', { token: as.token, params: { id: task?.id ?? '' }, body });
  }
  const switchTo = async ({ id }: { id: string }, sort: string | null) => {
    const call = { token: ann.token, params: { id }, headers: { 'if-match': '*' }, body: { sort } };
    return await harness.call('changeView', call);
  };

  it('shows its tasks where they were moved, on pages of any size, and moves leave their versions alone', async () => {
    const view = await board(5);
    const [t0, t1, t2, t3, t4] = view.tasks;
    expect(await titles(view)).to.equal('4 3 2 1 0');
    expect((await move(view, t0, { before: t4 })).status).to.equal(200);
    expect((await move(view, t3, { after: t1 })).status).to.equal(200);
    const answer = await move(view, t2, { after: t0 });
    for (const limit of ['1', '2', '100']) expect(await titles(view, ann, limit)).to.equal('0 2 4 1 3');
    const placed = (await shown(view)).find(({ id }) => id === t2?.id);
    expect(answer.body).to.deep.equal({ view_id: view.id, task_id: t2?.id, position: placed?.position });
    expect(placed?.version).to.equal(1);
    // the same move again changes nothing
    expect((await move(view, t2, { after: t0 })).status).to.equal(200);
    expect(await titles(view)).to.equal('0 2 4 1 3');
    expect(await harness.activity(ann, t2 as Task)).to.have.length(1);
  });

  it('keeps the order that it had when it was switched, for everything that it shows', async () => {
    const view = await board(4, 'created_at');
    expect(await titles(view)).to.equal('0 1 2 3');
    expect((await shown(view))[0]).not.to.have.property('position');
    expect((await switchTo(view, 'manual')).status).to.equal(200);
    expect(await titles(view)).to.equal('0 1 2 3');
    expect((await shown(view)).every(({ position }) => typeof position === 'string')).to.equal(true);
    await switchTo(view, null);
    expect(await titles(view)).to.equal('3 2 1 0');
    await switchTo(view, 'manual');
    expect(await titles(view)).to.equal('3 2 1 0');
  });

  it('shows tasks that came later at the end, until they are moved, or another task is moved beside them', async () => {
    const view = await board(2);
    const [a, b, c] = [await add(view.label, 'a'), await add(view.label, 'b'), await add(view.label, 'c')];
    for (const limit of ['1', '3', '100']) expect(await titles(view, ann, limit)).to.equal('1 0 c b a');
    expect((await shown(view)).map(({ position }) => position === null)).to.deep.equal([
      false,
      false,
      true,
      true,
      true,
    ]);
    await move(view, view.tasks[1], { after: b });
    expect(await titles(view)).to.equal('0 c b 1 a');
    await add(view.label, 'd');
    await move(view, a, { before: c });
    expect(await titles(view)).to.equal('0 a c b 1 d');
  });

  it('lets concurrent moves into one gap succeed, each with a position of its own', async () => {
    const view = await board(14);
    const [first, second, ...others] = view.tasks.toReversed();
    const answers = await Promise.all(
      others.map(async (task, n) => await move(view, task, n % 2 === 0 ? { after: first } : { before: second })),
    );
    expect(answers.map(({ status }) => status)).to.deep.equal(others.map(() => 200));
    const placed = await shown(view);
    expect([placed.at(0)?.id, placed.at(-1)?.id]).to.deep.equal([first?.id, second?.id]);
    expect(new Set(placed.map(({ position }) => position)).size).to.equal(14);
  });

  it('gives all tasks new positions before a position has more than 64 bytes', async () => {
    const view = await board(3);
    const [t0, t1, t2] = view.tasks;
    // positions as they are after a few hundred moves into one gap
    const long = `a0${'V'.repeat(62)}`;
    const { pool } = harness.database.db;
    const set = 'UPDATE task_positions SET key = $3 WHERE view_id = $1 AND task_id = $2';
    await query(pool, set, [view.id, t2?.id, long]);
    await query(pool, set, [view.id, t1?.id, `${long.slice(0, -1)}W`]);
    await query(pool, set, [view.id, t0?.id, 'a1']);
    expect(await titles(view)).to.equal('2 1 0');
    const answer = await move(view, t0, { after: t2 });
    expect(await titles(view)).to.equal('2 0 1');
    const placed = await shown(view);
    expect(placed.map(({ position }) => position?.length)).to.deep.equal([2, 2, 2]);
    expect(answer.body).to.have.property('position', placed[1]?.position);
  });

  it('is ordered by everyone who can read it, and refuses what it does not show, with the field at fault', async () => {
    const view = await board(2);
    const [t0, t1] = view.tasks;
    const other = await harness.createTask(ben, { title: 'elsewhere' });
    expect((await move(view, t0, { before: t1 }, ben)).status).to.equal(200);
    expect(await titles(view, manager)).to.equal('0 1');
    const own = await harness.call('createView', { token: ben.token, body: { name: 'Own', sort: 'manual' } });
    const unordered = await board(0, null);
    const faults: [Answer, string][] = [
      [await move(view, t0, { after: other }), 'after_id'],
      [await move(view, other, { after: t0 }), 'view_id'],
      [await move(view, t0, { before: t0 }), 'before_id'],
      [await move(view, t0, {}), 'after_id'],
      [await move(view, t0, { before: t1, after: t1 }), 'after_id'],
      [await move(own.body as { id: string }, t0, { after: t1 }), 'view_id'],
      [await move(unordered, t0, { after: t1 }), 'view_id'],
      [await move({ id: crypto.randomUUID() }, t0, { after: t1 }), 'view_id'],
    ];
    for (const [answer, field] of faults) expect(answer.body).to.have.nested.property('errors[0].field', field);
    expect(codeOf(await move(view, { ...other, id: crypto.randomUUID() }, { after: t1 }))).to.equal('not_found');
    const hidden = { token: ann.token, params: { id: (own.body as { id: string }).id } };
    expect(codeOf(await harness.call('listViewTasks', hidden))).to.equal('not_found');
  });

  it('stores no position of a task that it does not show, and puts no task beside one that it no longer shows', async () => {
    const view = await board(2);
    const [t0, t1] = view.tasks;
    const change = async (task: Task | undefined, labels: string[]) => {
      const call = { token: ann.token, params: { id: task?.id ?? '' }, headers: { 'if-match': '*' }, body: { labels } };
      expect((await harness.call('changeTask', call)).status).to.equal(200);
    };
    const other = await harness.createTask(ann, { title: 'other' });
    expect((await move(view, other, { before: t1 })).body).to.have.nested.property('errors[0].code', 'not_in_view');
    await change(other, [view.label]);
    expect(await titles(view)).to.equal('1 0 other');
    await change(t1, []);
    const refused = await move(view, t0, { before: t1 });
    expect(refused.body).to.deep.nested.include({ 'errors[0].field': 'before_id', 'errors[0].code': 'not_in_view' });
    await change(t1, [view.label]);
    expect(await titles(view)).to.equal('1 0 other');
  });

  it('forgets the positions of tasks that are removed, and keeps those of deleted ones', async () => {
    const view = await board(3);
    const [, t1] = view.tasks;
    const at = { token: ann.token, params: { id: t1?.id ?? '' }, headers: { 'if-match': '*' } };
    await harness.call('deleteTask', at);
    expect(await titles(view)).to.equal('2 0');
    expect((await move(view, view.tasks[0], { after: t1 })).body).to.have.nested.property(
      'errors[0].code',
      'not_in_view',
    );
    await harness.call('restoreTask', at);
    expect(await titles(view)).to.equal('2 1 0');
  });

  it('is started and extended by a few requests at a time, so that these never occupy all connections', async () => {
    const { pool } = harness.database.db;
    const boards = [];
    for (let n = 0; n < 8; n++) boards.push(await board(0, null));
    const ordered = await board(1);
    const late = await add(ordered.label, 'late');
    const locker = await pool.connect();
    try {
      await query(locker, 'BEGIN');
      await query(locker, 'LOCK TABLE task_labels IN ACCESS EXCLUSIVE MODE');
      let running = true;
      const writes = Promise.all([
        ...boards.map(async (view) => await switchTo(view, 'manual')),
        ...boards.map(async () => await move(ordered, ordered.tasks[0], { after: late })),
      ]).finally(() => (running = false));
      const waiting: number[] = [];
      while (running) {
        const text = `SELECT count(*)::integer AS count FROM pg_stat_activity, pg_locks
          WHERE pg_locks.pid = pg_stat_activity.pid AND relation = 'task_labels'::regclass AND NOT granted`;
        waiting.push((await query<{ count: number }>(pool, text))[0]?.count ?? 0);
      }
      expect(new Set((await writes).map(codeOf))).to.deep.equal(new Set(['search_busy']));
      // four have a turn; one more, which holds the lock of its view, looks up the two tasks that it moves
      expect(Math.max(...waiting)).to.be.within(1, 5);
    } finally {
      await query(locker, 'ROLLBACK');
      locker.release();
    }
    expect((await move(ordered, ordered.tasks[0], { after: late })).status).to.equal(200);
  });

  it('refuses cursors of another version of the view', async () => {
    const view = await board(2);
    const first = await harness.call('listViewTasks', {
      token: ann.token,
      params: { id: view.id },
      query: { limit: '1' },
    });
    const { next_cursor: cursor } = first.body as { next_cursor: string };
    await switchTo(view, null);
    const call = { token: ann.token, params: { id: view.id }, query: { cursor } };
    expect(codeOf(await harness.call('listViewTasks', call))).to.equal('bad_cursor');
  });
});
