import { tasksRoutes } from '@taskwire/contracts';
import { waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import { treeFields } from '../src/domain/search/filter-tree.ts';
import type { Task } from './support/api.ts';
import { expectDone, idsOf, linkTools } from './support/links.ts';
import { createProject } from './support/projects.ts';
import { tasksTeam, type Person, type TasksHarness } from './support/tasks-harness.ts';

type Filter = Exclude<keyof typeof tasksRoutes.listTasks.query.shape, 'cursor' | 'limit' | 'sort' | 'include'>;
type Tree = Record<string, unknown>;

const condition = (field: string, op: string, value: unknown): Tree => ({ field, op, value });
const equals = (field: string) => (value: string) => ({ filter: condition(field, 'eq', value) });

/** The search for what each parameter of the list finds. A new parameter without an entry does not compile. */
const searches: Record<Filter, ((value: string) => Tree) | 'the search knows no deleted tasks'> = {
  state: equals('state'),
  assignee: equals('assignee'),
  creator: equals('creator'),
  mine: (value) => ({ filter: condition('assignee', value === 'true' ? 'eq' : 'ne', 'me') }),
  kind: equals('kind'),
  project: equals('project'),
  parent: equals('parent'),
  blocked: (value) => ({ filter: condition('blocked', 'eq', value === 'true') }),
  blocks: equals('blocks'),
  blocked_by: equals('blocked_by'),
  priority: equals('priority'),
  label: equals('label'),
  label_all: (value) => ({ filter: { and: [condition('label', 'eq', value)] } }),
  due_before: (value) => ({ filter: condition('due_at', 'lt', value) }),
  due_after: (value) => ({ filter: condition('due_at', 'gte', value) }),
  q: (value) => ({ q: value }),
  deleted: 'the search knows no deleted tasks',
};

/** The fields of the tree for which the list has no parameter: `sort` lists the latest tasks, and the feed of changes follows them. */
const onlyInTree = ['created_at', 'updated_at'];

describe('The parameters of a list and the conditions of a search', () => {
  let harness: TasksHarness;
  let manager: Person;
  let ann: Person;
  let ben: Person;
  let values: Record<Filter, string[]>;

  before(async () => {
    ({ harness, manager, ann, ben } = await tasksTeam());
    const links = linkTools(harness);
    const project = await createProject(harness, ann);
    const due = '2040-01-01T00:00:00Z';
    await harness.createTask(manager, { assignee_id: ann.id, priority: 'urgent', labels: ['home'], due_at: due });
    await harness.createTask(manager, { assignee_id: ben.id, title: 'Zebra', due_at: '2039-01-01T00:00:00Z' });
    await harness.createTask(manager, { kind: 'job', job: { queue: 'mails', kind: 'send' } });
    const parent = await harness.createTask(ann, { project_id: project.id });
    const [subtask, blocker] = [await links.subtask(ann, parent), await harness.createTask(ann)];
    expectDone(await links.block(ann, subtask, blocker));
    values = {
      state: ['assigned'],
      assignee: ['me', 'none', ben.id],
      creator: [manager.id],
      mine: ['true', 'false'],
      kind: ['task', 'job'],
      project: ['none', project.id],
      parent: ['none', parent.id],
      blocked: ['true', 'false'],
      blocks: [subtask.id],
      blocked_by: [blocker.id],
      priority: ['urgent'],
      label: ['home'],
      label_all: ['home'],
      due_before: [due],
      due_after: [due],
      q: ['zebra'],
      deleted: [],
    };
    await waitFor(async () => {
      await harness.service.search.tick();
      return (await list({ q: 'zebra' })).length > 0;
    });
  });
  after(async () => await harness.stop());

  async function list(query: Record<string, string>, person = ann): Promise<Task[]> {
    const answer = await harness.call('listTasks', { token: person.token, query: { sort: '-created_at', ...query } });
    expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
    return (answer.body as { data: Task[] }).data;
  }

  async function search(body: Tree, person = ann): Promise<Task[]> {
    const answer = await harness.call('searchTasks', { token: person.token, body: { sort: '-created_at', ...body } });
    expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
    return (answer.body as { data: Task[] }).data;
  }

  it('find the same tasks', async () => {
    const all = await list({});
    for (const [name, searchFor] of Object.entries(searches)) {
      if (typeof searchFor === 'string') continue;
      for (const value of values[name as Filter]) {
        const found = await list({ [name]: value });
        expect(found.length, name).to.be.within(1, all.length - 1);
        expect(idsOf(await search(searchFor(value))), `${name}=${value}`).to.deep.equal(idsOf(found));
      }
      expect(values[name as Filter], name).not.to.be.empty;
    }
  });

  it('cover each other: neither knows a property of tasks that the other does not', () => {
    const { cursor: _, limit: __, sort: ___, include: ____, ...filters } = tasksRoutes.listTasks.query.shape;
    expect(Object.keys(searches)).to.have.members(Object.keys(filters));
    const used = Object.values(searches).flatMap((searchFor) =>
      typeof searchFor === 'string' ? [] : fieldsOf(searchFor('true')),
    );
    expect([...new Set(used), ...onlyInTree]).to.have.members([...treeFields]);
  });

  it('are documented with every field of the tree', () => {
    const { description = '' } = tasksRoutes.searchTasks.body.shape.filter;
    for (const field of treeFields) expect(description).to.include(`\`${field}\``);
  });

  it('combine in a tree, also for tasks that are not blocked and for several parents', async () => {
    const [parent = ''] = values.parent.slice(1);
    const among = condition('parent', 'in', ['none', parent]);
    expect(await search({ filter: among })).to.have.length((await list({})).length);
    expect(await search({ filter: { not: among } })).to.deep.equal([]);
    const free = await search({
      filter: { and: [condition('blocked', 'ne', true), condition('project', 'ne', 'none')] },
    });
    expect(idsOf(free)).to.deep.equal([parent]);
    expect(idsOf(await search({ filter: { not: condition('blocked', 'eq', false) } }))).to.deep.equal(
      idsOf(await list({ blocked: 'true' })),
    );
  });

  it('do not tell what waits for a task that the caller may not read', async () => {
    const [blocks = ''] = values.blocks;
    const filter = condition('blocks', 'in', [blocks, crypto.randomUUID()]);
    expect(await search({ filter })).to.have.length(1);
    expect(await search({ filter }, ben)).to.deep.equal([]);
    expect(await search({ filter: condition('blocked_by', 'eq', values.blocked_by[0]) }, ben)).to.deep.equal([]);
  });
});

/** The fields of the conditions of a search; none for a search by text. */
function fieldsOf(search: unknown): string[] {
  const fields: string[] = [];
  JSON.stringify(search, (key, value: unknown) => {
    if (key === 'field') fields.push(String(value));
    return value;
  });
  return fields;
}
