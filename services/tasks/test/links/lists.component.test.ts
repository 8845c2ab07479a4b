import { expect } from 'chai';
import type { schemas } from '@taskwire/contracts';
import type { z } from 'zod';
import { moveTask, projectOf } from '../support/projects.ts';
import type { Task } from '../support/api.ts';
import { expectDone, expectProblem, idsOf, linkTools } from '../support/links.ts';
import { searchTools } from '../support/search.ts';
import { tasksTeam, type Person, type TasksHarness } from '../support/tasks-harness.ts';

type Listed = z.output<typeof schemas.listedTask>;

describe('Lists of linked tasks', () => {
  let harness: TasksHarness;
  let manager: Person;
  let ann: Person;
  let ben: Person;
  let links: ReturnType<typeof linkTools>;
  let parent: Task;
  let subtask: Task;
  let blocker: Task;

  before(async () => {
    ({ harness, manager, ann, ben } = await tasksTeam());
    links = linkTools(harness);
  });
  after(async () => await harness.stop());
  beforeEach(async () => {
    parent = await harness.createTask(ann);
    subtask = await links.subtask(ann, parent);
    blocker = await harness.createTask(ann);
    expectDone(await links.block(ann, subtask, blocker));
  });

  /** The tasks of this test that a list has, the oldest first. */
  async function list(query: Record<string, string>, person = ann): Promise<Listed[]> {
    const own = new Set(idsOf([parent, subtask, blocker]));
    const answer = await harness.call('listTasks', { token: person.token, query: { limit: '100', ...query } });
    expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
    return (answer.body as { data: Listed[] }).data.filter(({ id }) => own.has(id)).toReversed();
  }

  it('have the filters parent, blocked, blocks and blocked_by', async () => {
    expect(idsOf(await list({ parent: parent.id }))).to.deep.equal([subtask.id]);
    expect(idsOf(await list({ parent: 'none' }))).to.deep.equal([parent.id, blocker.id]);
    expect(idsOf(await list({ blocked: 'true' }))).to.deep.equal([subtask.id]);
    expect(idsOf(await list({ blocked: 'false' }))).to.deep.equal([parent.id, blocker.id]);
    expect(idsOf(await list({ blocks: subtask.id }))).to.deep.equal([blocker.id]);
    expect(idsOf(await list({ blocked_by: blocker.id }))).to.deep.equal([subtask.id]);
    await harness.transition(ann, blocker, 'cancelled');
    expect(idsOf(await list({ blocked: 'true' }))).to.deep.equal([]);
    expect(idsOf(await list({ blocked: 'false' }))).to.deep.equal([parent.id, subtask.id, blocker.id]);
    expect(idsOf(await list({ blocks: subtask.id }))).to.deep.equal([blocker.id]);
  });

  it('do not reveal what waits for a task that the caller may not read', async () => {
    const { id } = await projectOf(harness, manager, [[ben, 'contributor']]);
    await moveTask(harness, manager, blocker, id);
    expect(idsOf(await list({ blocked_by: blocker.id }))).to.deep.equal([]);
    expect(idsOf(await list({ blocks: subtask.id }))).to.deep.equal([]);
    expect(idsOf(await list({ blocked_by: blocker.id }, manager))).to.deep.equal([subtask.id]);
    expect(idsOf(await list({ blocks: subtask.id }, ben))).to.deep.equal([blocker.id]);
  });

  it('have stats if the request asks for them, in every order and in searches', async () => {
    await harness.call('addComment', { token: ben.token, params: { id: parent.id }, body: { body: 'Soon.' } });
    const facts = [
      { blocked: false, open_subtasks: 1, comments: 1 },
      { blocked: true, open_subtasks: 0, comments: 0 },
      { blocked: false, open_subtasks: 0, comments: 0 },
    ];
    const stats = (found: readonly Listed[]) => found.map((task) => task.stats);
    expect(stats(await list({ include: 'stats' }))).to.deep.equal(facts);
    expect(stats(await list({ include: 'stats', sort: '-updated_at' }))).to.have.deep.members(facts);
    expect(stats(await list({}))).to.deep.equal([undefined, undefined, undefined]);
    await searchTools(harness).follow();
    expect(stats(await list({ include: 'stats', q: 'fence' }))).to.have.deep.members([facts[0], facts[2]]);
    const body = { include: 'stats', filter: { field: 'creator', op: 'eq', value: 'me' } };
    const search = await harness.call('searchTasks', { token: ann.token, body });
    expect((search.body as { data: Listed[] }).data.find(({ id }) => id === subtask.id)?.stats).to.deep.equal(facts[1]);
  });

  it('agree with the stats of a single task, whose response has no ETag', async () => {
    const read = async (task: Task) =>
      (await harness.call('getTask', { token: ann.token, params: { id: task.id }, query: { include: 'stats' } }))
        .body as Listed;
    const facts = { blocked: true, open_subtasks: 0, comments: 0 };
    expect(await read(subtask)).to.deep.equal({ ...subtask, stats: facts });
    await harness.transition(ann, blocker, 'cancelled');
    expect(await read(subtask)).to.deep.equal({ ...subtask, stats: { ...facts, blocked: false } });
    await harness.transition(ann, subtask, 'cancelled');
    expect((await read(parent)).stats).to.deep.equal({ blocked: false, open_subtasks: 0, comments: 0 });
  });

  it('are refused for a task at an earlier time, because stats describe the present', async () => {
    const query = { include: 'stats', at: parent.updated_at };
    const answer = await harness.call('getTask', { token: ann.token, params: { id: parent.id }, query });
    const { errors, status } = expectProblem(answer, 'invalid_input');
    expect([status, errors?.map(({ field }) => field)]).to.deep.equal([422, ['include']]);
    expect(errors?.[0]?.message).to.contain('cannot be combined with at');
    const { include: _, ...past } = query;
    const alone = await harness.call('getTask', { token: ann.token, params: { id: parent.id }, query: past });
    expect(alone.status).to.equal(200);
  });

  it('reject other values', async () => {
    for (const query of [{ include: 'comments' }, { parent: 'me' }, { blocked: 'yes' }, { blocks: 'x' }]) {
      const answer = await harness.call('listTasks', { token: ann.token, query });
      expect(expectProblem(answer, 'invalid_input').errors?.map(({ field }) => field)).to.deep.equal(
        Object.keys(query),
      );
    }
  });
});
