import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { codeOf, type Answer, type Task } from './support/api.ts';
import { projectOf } from './support/projects.ts';
import { tasksTeam, type Person, type TasksHarness } from './support/tasks-harness.ts';

type Template = { id: string; name: string; version: number };
type Created = { id: string; data: Task[] };

describe('Templates of tasks', () => {
  let harness: TasksHarness;
  let manager: Person;
  let ann: Person;
  let ben: Person;
  before(async () => ({ harness, manager, ann, ben } = await tasksTeam()));
  after(async () => await harness.stop());

  const move = {
    name: 'Move',
    task: { title: 'Move {{customer}} to {{city}}', description: 'For {{customer}}.', due_in: 'P14D' },
    subtasks: [
      { title: 'Pack', labels: ['boxes'], due_in: 'P1D' },
      { title: 'Drive', priority: 'high' },
      { title: 'Rent a car in {{city}}', parent: 2 },
    ],
    blocks: [
      { blocker: 1, blocked: 2 },
      { blocker: 1, blocked: 3 },
    ],
  };
  const values = { customer: 'Eve', city: 'Rome' };

  async function save(person: Person, body: object): Promise<Answer> {
    return await harness.call('createTaskTemplate', { token: person.token, body });
  }
  async function saved(person: Person, body: object = move): Promise<Template> {
    const answer = await save(person, body);
    expect(answer.status, JSON.stringify(answer.body)).to.equal(201);
    return answer.body as Template;
  }
  async function instantiate(person: Person, { id }: { id: string }, body: object, headers = {}): Promise<Answer> {
    return await harness.call('instantiateTaskTemplate', { token: person.token, params: { id }, body, headers });
  }
  const count = async (table: string) =>
    (await query<{ count: number }>(harness.database.db.pool, `SELECT count(*)::integer AS count FROM ${table}`))[0]
      ?.count;

  it('create a task with its sub-tasks, what they wait for, and their due dates', async () => {
    const answer = await instantiate(ann, await saved(ann), { values });
    expect(answer.status, JSON.stringify(answer.body)).to.equal(201);
    const { id, data } = answer.body as Created;
    const [root, pack, drive, rent] = data;
    expect(data.map(({ title }) => title)).to.deep.equal(['Move Eve to Rome', 'Pack', 'Drive', 'Rent a car in Rome']);
    expect(root).to.include({ id, description: 'For Eve.', state: 'draft', creator_id: ann.id, parent_id: null });
    expect([pack?.parent_id, drive?.parent_id, rent?.parent_id]).to.deep.equal([id, id, drive?.id]);
    expect(pack?.labels).to.deep.equal(['boxes']);
    const inDays = (task: Task | undefined) => (Date.parse(task?.due_at ?? '') - Date.now()) / 86_400_000;
    expect(inDays(root)).to.be.within(13.9, 14);
    expect(inDays(pack)).to.be.within(0.9, 1);
    expect(drive?.due_at).to.equal(null);
    await harness.assign(manager, drive as Task, ben);
    const start = { token: ben.token, params: { id: drive?.id ?? '' }, body: { state: 'in_progress' } };
    expect(codeOf(await harness.call('transitionTask', start))).to.equal('task_blocked');
    await harness.observer.expectAbout(rent?.id ?? '', ['created', 'changed', 'blocker_added']);
    expect(await harness.read(ann, root as Task)).to.deep.equal(root);
  });

  it('create their tasks in a project, by the rule of every new task', async () => {
    const [outsider, viewer] = [await harness.join('Olaf', 'member'), await harness.join('Vic', 'member')];
    const members = [
      [ann, 'contributor'],
      [viewer, 'viewer'],
    ] as const;
    const { id } = await projectOf(harness, manager, members);
    const body = { values, project_id: id };
    const template = await saved(ann);
    const created = (await instantiate(ann, template, body)).body as Created;
    expect(created.data.map(({ project_id: project }) => project)).to.deep.equal([id, id, id, id]);
    expect((await harness.call('getTask', { token: outsider.token, params: { id: created.id } })).status).to.equal(404);
    const unknown = await instantiate(outsider, await saved(outsider), body);
    expect(codeOf(unknown)).to.equal('unknown_project');
    expect(unknown.body).to.have.nested.property('errors[0].field', 'project_id');
    expect(codeOf(await instantiate(viewer, await saved(viewer), body))).to.equal('forbidden');
    const archive = { token: manager.token, params: { id }, body: { archived: true }, headers: { 'if-match': '*' } };
    await harness.call('changeProject', archive);
    expect(codeOf(await instantiate(ann, template, body))).to.equal('project_archived');
  });

  it('create all tasks or none, and once under one key', async () => {
    const template = await saved(ann);
    const headers = { 'idempotency-key': crypto.randomUUID() };
    const [first, second] = await Promise.all([
      instantiate(ann, template, { values }, headers),
      instantiate(ann, template, { values }, headers),
    ]);
    expect(second.body).to.deep.equal(first.body);
    const before = await count('tasks');
    const { pool } = harness.database.db;
    await query(
      pool,
      `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$`,
    );
    await query(pool, `CREATE TRIGGER fail BEFORE INSERT ON task_blockers FOR EACH ROW EXECUTE FUNCTION fail()`);
    expect((await instantiate(ann, template, { values })).status).to.equal(500);
    await query(pool, 'DROP TRIGGER fail ON task_blockers');
    expect(await count('tasks')).to.equal(before);
  });

  it('replay the first response under one key although they have been changed or deleted since', async () => {
    const template = await saved(ann);
    const at = { token: ann.token, params: { id: template.id }, headers: { 'if-match': '*' } };
    const once = { 'idempotency-key': crypto.randomUUID() };
    const first = await instantiate(ann, template, { values }, once);
    expect(first.status).to.equal(201);
    const change = { ...at, body: { task: { title: '{{other}}' }, subtasks: [], blocks: [] } };
    expect((await harness.call('changeTaskTemplate', change)).status).to.equal(200);
    expect((await instantiate(ann, template, { values }, once)).body).to.deep.equal(first.body);
    expect((await harness.call('deleteTaskTemplate', at)).status).to.equal(204);
    const replay = await instantiate(ann, template, { values }, once);
    expect([replay.status, replay.body]).to.deep.equal([201, first.body]);
    expect((await instantiate(ann, template, { values })).status).to.equal(404);
  });

  it('can have 100 tasks', async () => {
    const subtasks = Array.from({ length: 99 }, (_, n) => ({ title: `${n}`, parent: n < 3 ? n : n % 4 }));
    const blocks = Array.from({ length: 90 }, (_, n) => ({ blocker: n + 6, blocked: n + 7 }));
    const template = await saved(ann, { name: 'Large', task: { title: 'x' }, subtasks, blocks });
    const { data } = (await instantiate(ann, template, { values: {} })).body as Created;
    expect(data).to.have.length(100);
    expect(new Set(data.map(({ id }) => id)).size).to.equal(100);
  });

  it('are checked when they are saved or changed, and faults name their field', async () => {
    const task = { title: 'x' };
    const three = [{ title: 'a' }, { title: 'b', parent: 1 }, { title: 'c', parent: 2 }];
    const faulty: [object, string, string?][] = [
      [{ task, subtasks: [{ title: 'a', parent: 1 }] }, 'invalid_input', 'subtasks.0.parent'],
      [{ task, blocks: [{ blocker: 0, blocked: 1 }] }, 'invalid_input', 'blocks.0.blocked'],
      [{ task, subtasks: three, blocks: [{ blocker: 1, blocked: 3 }] }, 'dependency_cycle'],
      [
        {
          task,
          subtasks: [{ title: 'a' }, { title: 'b' }],
          blocks: [
            { blocker: 1, blocked: 2 },
            { blocker: 1, blocked: 2 },
          ],
        },
        'invalid_input',
        'blocks.1',
      ],
      [{ task, subtasks: [...three, { title: 'd', parent: 3 }, { title: 'e', parent: 4 }] }, 'too_many_links'],
      [
        {
          task,
          subtasks: [{ title: 'a' }, { title: 'b' }],
          blocks: [
            { blocker: 1, blocked: 2 },
            { blocker: 2, blocked: 1 },
          ],
        },
        'dependency_cycle',
        'blocks.1',
      ],
      [{ task, blocks: [{ blocker: 0, blocked: 0 }] }, 'dependency_cycle', 'blocks.0'],
      // the parent waits for its sub-task
      [{ task, subtasks: [{ title: 'a' }], blocks: [{ blocker: 0, blocked: 1 }] }, 'dependency_cycle', 'blocks.0'],
      [{ task: { title: '' } }, 'invalid_input', 'task.title'],
      [{ task: { title: 'x', due_in: 'P1Y' } }, 'invalid_input', 'task.due_in'],
    ];
    const template = await saved(ann, { name: 'Good', task, subtasks: [{ title: 'a' }] });
    for (const [content, code, field] of faulty) {
      const created = await save(ann, { name: 'Faulty', ...content });
      const at = { token: ann.token, params: { id: template.id }, headers: { 'if-match': '*' } };
      const changed = await harness.call('changeTaskTemplate', {
        ...at,
        body: { subtasks: [], blocks: [], ...content },
      });
      for (const answer of [created, changed]) {
        expect(codeOf(answer), JSON.stringify(answer.body)).to.equal(code);
        if (field !== undefined) expect(answer.body).to.have.nested.property('errors[0].field', field);
      }
    }
    expect(
      (await harness.call('getTaskTemplate', { token: ann.token, params: { id: template.id } })).body,
    ).to.deep.equal(template);
  });

  it('need a value for each placeholder, and replace placeholders in one pass', async () => {
    const template = await saved(ann);
    const faults: [object, string][] = [
      [{ values: {} }, 'values.customer'],
      [{}, 'values'],
      [{ values: { ...values, colour: 'red' } }, 'values.colour'],
      [{ values: { ...values, city: '' } }, 'values.city'],
      [{ values: { customer: 'x'.repeat(150), city: 'y'.repeat(150) } }, 'values'],
    ];
    for (const [body, field] of faults) {
      const answer = await instantiate(ann, template, body);
      expect(codeOf(answer)).to.equal('invalid_input');
      expect(answer.body).to.have.nested.property('errors[0].field', field);
    }
    const { data } = (await instantiate(ann, template, { values: { customer: '{{city}}', city: '$&' } }))
      .body as Created;
    expect(data[0]?.title).to.equal('Move {{city}} to $&');
  });

  it('belong to their creator, and can be shared', async () => {
    const own = await saved(ann);
    const shared = await saved(ann, { ...move, name: 'Shared', shared: true });
    const at = ({ id }: Template, as: Person) => ({ token: as.token, params: { id }, headers: { 'if-match': '*' } });
    expect(codeOf(await harness.call('getTaskTemplate', at(own, ben)))).to.equal('not_found');
    expect(codeOf(await instantiate(ben, own, { values }))).to.equal('not_found');
    expect((await instantiate(ben, shared, { values })).status).to.equal(201);
    const { body } = await harness.call('listTaskTemplates', { token: ben.token });
    expect((body as { data: Template[] }).data.map(({ name }) => name)).to.deep.equal(['Shared']);
    const change = { ...at(shared, ben), body: { name: 'Mine' } };
    expect(codeOf(await harness.call('changeTaskTemplate', change))).to.equal('forbidden');
    expect(codeOf(await harness.call('deleteTaskTemplate', at(shared, ben)))).to.equal('forbidden');
    const renamed = await harness.call('changeTaskTemplate', { ...at(shared, ann), body: { name: 'Ours' } });
    expect(renamed.body).to.include({ name: 'Ours', version: 2 });
    const stale = { ...at(shared, ann), headers: { 'if-match': '"1"' } };
    expect(codeOf(await harness.call('deleteTaskTemplate', stale))).to.equal('precondition_failed');
    expect((await harness.call('deleteTaskTemplate', at(shared, ann))).status).to.equal(204);
  });
});
