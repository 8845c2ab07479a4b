import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { codeOf, type Answer, type Task } from './support/api.ts';
import { createProject, moveTask } from './support/projects.ts';
import { tasksTeam, type Person, type TasksHarness } from './support/tasks-harness.ts';

type Problem = { code: string; detail: string; errors?: { field: string }[]; current?: { version: number } };
type Result = { status: number; etag?: string; body?: Task; problem?: Problem };
type Operation = Record<string, unknown>;

describe('A bulk request', () => {
  let harness: TasksHarness;
  let manager: Person;
  let ann: Person;
  let ben: Person;
  before(async () => ({ harness, manager, ann, ben } = await tasksTeam()));
  after(async () => await harness.stop());

  type More = { atomic?: boolean; key?: string; as?: Person };

  async function send(operations: Operation[], { atomic, key, as = manager }: More = {}): Promise<Answer> {
    return await harness.call('bulkTasks', {
      token: as.token,
      body: { operations, ...(atomic === undefined ? {} : { atomic }) },
      headers: key === undefined ? {} : { 'idempotency-key': key },
    });
  }

  async function resultsOf(operations: Operation[], more: More = {}): Promise<Result[]> {
    const answer = await send(operations, more);
    expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
    return (answer.body as { data: Result[] }).data;
  }

  const shown = (results: readonly Result[]) => results.map(({ status, problem }) => problem?.code ?? status);
  const create = (title: string, more: Operation = {}) => ({ op: 'create', body: { title, ...more } });
  const titled = async (title: string) => {
    const text = 'SELECT count(*)::integer AS count FROM tasks WHERE title = $1';
    return (await query<{ count: number }>(harness.database.db.pool, text, [title]))[0]?.count;
  };

  it('carries out every kind of operation, with the results that each has as a single request', async () => {
    const task = await harness.createTask(ann);
    const results = await resultsOf([
      create('Bulk'),
      { op: 'change', ref: '$0', body: { priority: 'high' } },
      { op: 'assign', ref: '$0', body: { assignee_id: ann.id } },
      { op: 'transition', ref: '$0', body: { state: 'cancelled' } },
      { op: 'delete', id: task.id, if_match: '"1"' },
      { op: 'restore', id: task.id },
      create('Random', { assign: 'random' }),
    ]);
    expect(shown(results)).to.deep.equal([201, 200, 200, 200, 204, 200, 201]);
    expect(results[3]?.body).to.include({ title: 'Bulk', priority: 'high', state: 'cancelled', version: 4 });
    expect(results[4]).to.deep.equal({ status: 204 });
    expect(results[5]?.body).to.include({ id: task.id, version: 3 });
    const read = await harness.call('getTask', { token: ann.token, params: { id: task.id } });
    expect(results[5]).to.deep.include({ etag: read.headers.get('etag'), body: read.body });
    const types = ['created', 'changed', 'changed', 'assigned', 'cancelled'];
    await harness.observer.expectAbout(results[0]?.body?.id ?? '', types);
  });

  it('comments on tasks, lets them wait for each other, makes trees, and moves tasks between projects', async () => {
    const project = await createProject(harness, ann);
    const task = await harness.createTask(ann);
    const operations = [
      create('Party', { project_id: project.id }),
      { op: 'create', parent_ref: '$0', body: { title: 'Cake' } },
      create('Flour'),
      { op: 'change', ref: '$2', body: { project_id: project.id } },
      { op: 'change', ref: '$2', parent_ref: '$0', body: {} },
      { op: 'block', ref: '$1', other_ref: '$2' },
      { op: 'block', ref: '$1', other_id: task.id },
      { op: 'unblock', ref: '$1', other_ref: '$2' },
      { op: 'block', id: task.id, other_ref: '$0' },
      { op: 'comment', ref: '$0', body: { body: `<@${ben.id}>, come!` } },
      { op: 'comment', id: task.id, body: { body: `<@${crypto.randomUUID()}>` } },
      { op: 'change', ref: '$2', body: { project_id: null } },
    ];
    const key = crypto.randomUUID();
    const results = await resultsOf(operations, { key, as: ann });
    expect(shown(results)).to.deep.equal([
      ...[201, 201, 201, 200, 200, 204, 204, 204, 'dependency_cycle', 201, 'unknown_mention', 'other_project'],
    ]);
    const [party, cake, flour] = results.map(({ body }) => body as Task);
    expect(cake).to.include({ parent_id: party?.id, project_id: project.id });
    expect(await harness.read(ann, { id: flour?.id ?? '' })).to.include({ parent_id: party?.id, version: 3 });
    expect(results[9]?.body).to.deep.include({ task_id: party?.id, mentions: [{ id: ben.id, name: 'Ben' }] });
    const blockers = await harness.call('listTasks', { token: ann.token, query: { blocks: cake?.id ?? '' } });
    expect((blockers.body as { data: Task[] }).data.map(({ id }) => id)).to.deep.equal([task.id]);
    expect(await resultsOf(operations, { key, as: ann })).to.deep.equal(results);
    const comments = await harness.call('listComments', { token: ann.token, params: { id: party?.id ?? '' } });
    expect((comments.body as { data: unknown[] }).data).to.deep.equal([results[9]?.body]);
    await harness.observer.expectAbout(cake?.id ?? '', [
      ...['created', 'changed', 'blocker_added', 'blocker_added', 'blocker_removed'],
    ]);
  });

  it('continues after a refusal, and reports each refusal with its problem', async () => {
    const task = await harness.createTask(manager, { assignee_id: ann.id });
    const at = { id: task.id };
    const results = await resultsOf(
      [
        { op: 'change', ...at, body: { title: 'x' } },
        { op: 'change', ...at, if_match: '"7"', body: { title: 'x' } },
        { op: 'change', ...at, if_match: 'x', body: { title: 'x' } },
        { op: 'change', ...at, if_match: '*', body: { title: '', colour: 'red' } },
        { op: 'assign', ...at, body: { assignee_id: manager.id } },
        { op: 'assign', ...at, body: { assignee_id: crypto.randomUUID() } },
        { op: 'transition', ...at, body: { state: 'completed' } },
        { op: 'delete', id: crypto.randomUUID(), if_match: '*' },
        { op: 'change', ...at, if_match: '"1"', body: { title: 'Changed' } },
      ],
      { as: manager },
    );
    expect(shown(results)).to.deep.equal([
      ...['precondition_required', 'precondition_failed', 'bad_etag', 'invalid_input', 'ineligible_assignee'],
      ...['unknown_assignee', 'forbidden', 'not_found', 200],
    ]);
    expect(results[1]?.problem?.current).to.deep.equal(task);
    expect(results[3]?.problem?.errors?.map(({ field }) => field)).to.have.members(['title', 'colour']);
    expect(await harness.read(ann, task)).to.include({ title: 'Changed', version: 2 });
  });

  it('checks permissions for each operation', async () => {
    const task = await harness.createTask(manager);
    const results = await resultsOf(
      [
        { op: 'change', id: task.id, if_match: '*', body: { title: 'Mine' } },
        { op: 'assign', id: task.id, body: { assign: 'random' } },
        create('Of Ben', { assignee_id: ben.id }),
        create('Of Ben'),
      ],
      { as: ben },
    );
    expect(shown(results)).to.deep.equal(['forbidden', 'forbidden', 'forbidden', 201]);
    expect(await harness.read(manager, task)).to.deep.equal(task);
  });

  it('does not carry out operations on a task that was not created', async () => {
    const results = await resultsOf([
      create('', {}),
      { op: 'change', ref: '$0', body: { title: 'x' } },
      create('Created'),
      { op: 'change', ref: '$2', body: { priority: 'low' } },
      { op: 'block', ref: '$2', other_ref: '$0' },
      { op: 'create', parent_ref: '$0', body: { title: 'x' } },
    ]);
    const failed = 'dependency_failed';
    expect(shown(results)).to.deep.equal(['invalid_input', failed, 201, 200, failed, failed]);
    expect(results[1]?.status).to.equal(424);
  });

  it('refuses an invalid request as a whole, and names the operation', async () => {
    const { id } = await harness.createTask(ann);
    const invalid: [Operation[], string][] = [
      [[], 'operations'],
      [Array.from({ length: 101 }, () => create('x')), 'operations'],
      [[{ op: 'paint', id }], 'operations.0.op'],
      [[create('x'), { op: 'delete' }], 'operations.1.id'],
      [[create('x'), { op: 'delete', id, ref: '$0' }], 'operations.1.id'],
      [[{ ...create('x'), id }], 'operations.0.op'],
      [[create('x'), { op: 'delete', ref: '$1' }], 'operations.1.ref'],
      [[create('x'), { op: 'delete', ref: '$00' }], 'operations.1.ref'],
      [
        [
          { op: 'delete', id },
          { op: 'delete', ref: '$0' },
        ],
        'operations.1.ref',
      ],
      [[{ op: 'delete', id: 'x' }], 'operations.0.id'],
      [[{ op: 'block', id }], 'operations.0.other_id'],
      [[create('x'), { op: 'block', id, other_id: id, other_ref: '$0' }], 'operations.1.other_id'],
      [[{ op: 'comment', id, other_id: id, body: { body: 'x' } }], 'operations.0.op'],
      [[create('x'), { op: 'block', id, other_ref: '$1' }], 'operations.1.other_ref'],
      [[create('x'), { op: 'comment', id, parent_ref: '$0' }], 'operations.1.op'],
      [[create('x'), { ...create('x', { parent_id: id }), parent_ref: '$0' }], 'operations.1.parent_ref'],
      [[{ ...create('x'), parent_ref: '$0' }], 'operations.0.parent_ref'],
    ];
    for (const [operations, field] of invalid) {
      const answer = await send(operations);
      expect(codeOf(answer)).to.equal('invalid_input');
      expect((answer.body as Problem).errors?.map((one) => one.field)).to.include(field);
    }
  });

  it('carries out no operation twice under the same key, and repeats each result, refusals included', async () => {
    const key = crypto.randomUUID();
    const task = await harness.createTask(ann);
    const operations = [
      create('Repeated'),
      { op: 'change', ref: '$0', body: { priority: 'urgent' } },
      { op: 'delete', id: task.id, if_match: '*' },
      { op: 'delete', id: task.id, if_match: '*' },
      { op: 'transition', ref: '$0', body: { state: 'completed' } },
    ];
    const first = await send(operations, { key });
    expect(shown((first.body as { data: Result[] }).data)).to.deep.equal([201, 200, 204, 'not_found', 'forbidden']);
    expect(first.headers.get('idempotency-replayed')).to.equal(null);
    // the refused operation could now succeed
    await harness.call('restoreTask', { token: ann.token, params: { id: task.id } });
    const second = await send(operations, { key });
    expect(second.body).to.deep.equal(first.body);
    expect(second.headers.get('idempotency-replayed')).to.equal('true');
    expect(await titled('Repeated')).to.equal(1);
    expect(codeOf(await send([create('Other')], { key }))).to.equal('idempotency_key_reused');
  });

  it('is carried out once when it is sent several times at the same moment', async () => {
    const key = crypto.randomUUID();
    const operations = [
      ...Array.from({ length: 10 }, () => create('Simultaneous')),
      { op: 'assign', ref: '$3', body: { assign: 'random' } },
      { op: 'change', ref: '$4', body: { title: 'Simultaneous' } },
      { op: 'delete', ref: '$5' },
      { op: 'delete', ref: '$5' },
    ];
    const answers = await Promise.all([1, 2, 3].map(async () => await send(operations, { key })));
    for (const { body } of answers) expect(body).to.deep.equal(answers[0]?.body);
    expect(await titled('Simultaneous')).to.equal(10);
  });

  it('retries operations that were refused for a temporary reason', async () => {
    const key = crypto.randomUUID();
    const [operations, task] = [[create('Later')], await harness.createTask(manager)];
    const assign = { op: 'assign', id: task.id, body: { assignee_id: crypto.randomUUID() } };
    const { auth } = harness;
    auth.outage = 503;
    const first = await resultsOf([assign, ...operations], { key });
    expect(first.map(({ status }) => status)).to.deep.equal([503, 503]);
    auth.outage = undefined;
    expect(shown(await resultsOf([assign, ...operations], { key }))).to.deep.equal(['unknown_assignee', 201]);
  });

  it('does not repeat the results of tasks that the caller may no longer read', async () => {
    const key = crypto.randomUUID();
    const operations = [create('Moved away'), create('Kept')];
    const [moved, kept] = await resultsOf(operations, { key, as: ann });
    const project = await createProject(harness, manager);
    await moveTask(harness, manager, { id: moved?.body?.id ?? '' }, project.id);
    const repeated = await resultsOf(operations, { key, as: ann });
    expect(shown(repeated)).to.deep.equal(['not_found', 201]);
    expect(repeated[1]).to.deep.equal(kept);
    expect(JSON.stringify(repeated)).not.to.include(moved?.body?.id);
  });

  describe('that is atomic', () => {
    it('carries out all operations in one transaction, and once under its key', async () => {
      const key = crypto.randomUUID();
      const task = await harness.createTask(ann);
      const operations = [
        create('Atomic', { assign: 'random' }),
        create('Atomic', { assignee_id: ben.id }),
        create('Atomic'),
        { op: 'assign', ref: '$2', body: { assign: 'random' } },
        { op: 'change', id: task.id, if_match: '"1"', body: { title: 'Atomic' } },
        { op: 'delete', id: task.id, if_match: '"2"' },
        { op: 'restore', id: task.id },
      ];
      const first = await send(operations, { atomic: true, key });
      expect(shown((first.body as { data: Result[] }).data)).to.deep.equal([201, 201, 201, 200, 200, 204, 200]);
      const second = await send(operations, { atomic: true, key });
      expect(second.body).to.deep.equal(first.body);
      expect(second.headers.get('idempotency-replayed')).to.equal('true');
      expect(await titled('Atomic')).to.equal(4);
    });

    it('does nothing if an operation is refused, and names it', async () => {
      const task = await harness.createTask(ann);
      const answer = await send(
        [create('Undone'), { op: 'change', id: task.id, if_match: '"1"', body: { title: '' } }, create('Undone')],
        { atomic: true, key: crypto.randomUUID() },
      );
      expect(answer.status).to.equal(422);
      expect(answer.body).to.deep.include({ code: 'bulk_aborted', index: 1 });
      expect(answer.body).to.have.nested.property('cause.code', 'invalid_input');
      expect(answer.body).to.have.nested.property('errors[0].field', 'operations.1.body.title');
      expect(await titled('Undone')).to.equal(0);
    });

    it('comments, blocks and moves with everything else, or does nothing', async () => {
      const project = await createProject(harness, ann);
      const task = await harness.createTask(ann);
      const operations = [
        create('All', { project_id: project.id }),
        { op: 'create', parent_ref: '$0', body: { title: 'All' } },
        { op: 'block', ref: '$1', other_id: task.id },
        { op: 'comment', id: task.id, body: { body: 'Soon.' } },
        { op: 'change', id: task.id, if_match: '*', body: { project_id: project.id } },
      ];
      const wrong = { op: 'comment', ref: '$0', body: { body: `<@${crypto.randomUUID()}>` } };
      const refused = await send([...operations, wrong], { atomic: true, as: ann });
      expect(refused.body).to.deep.include({ code: 'bulk_aborted', index: 5 });
      expect(refused.body).to.have.nested.property('cause.code', 'unknown_mention');
      expect(refused.body).to.have.nested.property('errors[0].field', 'operations.5.body.body');
      expect(await harness.read(ann, task)).to.deep.equal(task);
      expect(await titled('All')).to.equal(0);

      // a user whom the directory does not know yet
      const kim = { id: crypto.randomUUID(), name: 'Kim', role: 'member' as const };
      harness.auth.users.set(kim.id, { ...kim, version: 1, is_deleted: false, email_verified: true });
      const welcome = { ...wrong, body: { body: `<@${kim.id}>` } };
      const results = await resultsOf([...operations, welcome], { atomic: true, as: ann });
      expect(shown(results)).to.deep.equal([201, 201, 204, 201, 200, 201]);
      expect(results[5]?.body).to.deep.include({ mentions: [{ id: kim.id, name: 'Kim' }] });
      expect(await harness.read(ann, task)).to.include({ project_id: project.id });
    });

    it('looks up users whom the directory does not know yet, outside of the transaction', async () => {
      const fay = { id: crypto.randomUUID(), name: 'Fay', role: 'member' as const };
      harness.auth.users.set(fay.id, { ...fay, version: 1, is_deleted: false, email_verified: true });
      const results = await resultsOf([create('New'), { op: 'assign', ref: '$0', body: { assignee_id: fay.id } }], {
        atomic: true,
      });
      expect(results[1]?.body).to.include({ assignee_id: fay.id });
      const unknown = await send([create('None', { assignee_id: crypto.randomUUID() })], { atomic: true });
      expect(unknown.body).to.have.nested.property('cause.code', 'unknown_assignee');
    });

    it('never deadlocks with requests that change the same tasks in another order', async () => {
      const tasks = await Promise.all([1, 2, 3, 4].map(async () => await harness.createTask(ann)));
      const change = ({ id }: Task) => ({ op: 'change', id, if_match: '*', body: { title: crypto.randomUUID() } });
      const answers = await Promise.all(
        Array.from({ length: 12 }, async (_, n) => {
          const ordered = n % 2 === 0 ? tasks : tasks.toReversed();
          return await send(ordered.map(change), { atomic: true });
        }),
      );
      expect(answers.map(({ status }) => status)).to.deep.equal(Array.from({ length: 12 }, () => 200));
    });
  });
});
