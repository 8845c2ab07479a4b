import { waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import { codeOf, type Activity, type Task } from './support/api.ts';
import { tasksTeam, type Person, type TasksHarness } from './support/tasks-harness.ts';

type Explanation = {
  assignee: { id: string } | null;
  actor: { id: string } | null;
  assigned_at: string | null;
  reason: string | null;
  why: string | null;
  performers: number | null;
  candidates: { id: string; name: string; open_tasks: number }[] | null;
};

describe('The activity of tasks', () => {
  let harness: TasksHarness;
  let manager: Person;
  let ann: Person;
  let ben: Person;

  before(async () => ({ harness, manager, ann, ben } = await tasksTeam()));
  after(async () => await harness.stop());

  const at = ({ id }: { id: string }, { token } = manager) => ({ token, params: { id } });
  const assign = async (task: Task, body: object) => await harness.call('assignTask', { ...at(task), body });
  const why = async (task: Task) => (await harness.call('whyAssigned', at(task))).body as Explanation;

  async function list(query: Record<string, string> = {}) {
    const answer = await harness.call('listAllActivity', { token: ann.token, query });
    expect(answer.status).to.equal(200);
    return answer.body as { data: Activity[]; next_cursor: string | null };
  }

  it('is listed for all tasks, newest first, without that of deleted tasks', async () => {
    const [one, two, deleted] = [
      await harness.createTask(ann),
      await harness.createTask(ben),
      await harness.createTask(ann),
    ];
    await harness.transition(manager, one, 'cancelled');
    await harness.call('deleteTask', { ...at(deleted), headers: { 'if-match': '*' } });
    const seen: Activity[] = [];
    let cursor: string | undefined;
    do {
      const page = await list({ limit: '1', ...(cursor === undefined ? {} : { cursor }) });
      expect(page.data).to.have.length(1);
      seen.push(...page.data);
      cursor = page.next_cursor ?? undefined;
    } while (seen.length < 3);
    expect(seen.map((entry) => [entry.task_id, entry.action])).to.deep.equal([
      [one.id, 'cancelled'],
      [two.id, 'created'],
      [one.id, 'created'],
    ]);
  });

  it('shows the reason that a user gave as why, beside the explanation of the service', async () => {
    const task = await harness.createTask(manager, { assignee_id: ann.id });
    expect((await assign(task, { assignee_id: ben.id, reason: 'Ann is on holiday.' })).status).to.equal(200);
    const body = { state: 'cancelled', reason: 'We have no paint.' };
    expect((await harness.call('transitionTask', { ...at(task), body })).status).to.equal(200);
    expect(
      (await harness.activity(ann, task)).map(({ action, reason, why: given }) => [action, reason, given]),
    ).to.deep.equal([
      ['created', null, null],
      ['assigned', null, null],
      ['unassigned', null, 'Ann is on holiday.'],
      ['assigned', null, 'Ann is on holiday.'],
      ['cancelled', null, 'We have no paint.'],
    ]);
    const empty = await harness.call('transitionTask', { ...at(task), body: { state: 'cancelled', reason: ' ' } });
    expect([empty.status, codeOf(empty)]).to.deep.equal([422, 'invalid_input']);
  });

  it('explains a random assignment by the candidates and the open tasks that they had at that moment', async () => {
    const open = await harness.createTask(manager, { assignee_id: ann.id });
    const task = await harness.createTask(manager, { assign: 'random' });
    expect(task.assignee_id).to.equal(ben.id);
    await harness.createTask(manager, { assignee_id: ben.id });
    await harness.transition(manager, open, 'cancelled');
    const { assignee, actor, assigned_at, ...explanation } = await why(task);
    expect([assignee?.id, actor?.id, assigned_at]).to.deep.equal([ben.id, manager.id, task.updated_at]);
    expect(explanation).to.deep.equal({
      task_id: task.id,
      reason: 'fewest open tasks (1 of 2 performers had 0)',
      why: null,
      performers: 2,
      candidates: [
        { id: ben.id, name: 'Ben', open_tasks: 0 },
        { id: ann.id, name: 'Ann', open_tasks: 1 },
      ],
    });
  });

  it('explains the assignment by a user by their reason, and a task without an assignee by nothing', async () => {
    const task = await harness.createTask(manager);
    const nothing = { reason: null, why: null, performers: null, candidates: null };
    expect(await why(task)).to.deep.equal({
      task_id: task.id,
      assignee: null,
      actor: null,
      assigned_at: null,
      ...nothing,
    });
    await assign(task, { assignee_id: ann.id, reason: 'She knows the garden.' });
    expect(await why(task)).to.deep.include({ ...nothing, why: 'She knows the garden.' });
    expect(await why(task)).to.have.nested.property('assignee.name', 'Ann');
    const unknown = await harness.call('whyAssigned', at({ id: manager.id }));
    expect(unknown.status).to.equal(404);
  });

  it('keeps the candidates of a reassignment by the service, and shows a task that awaits a performer', async () => {
    const { harness: alone, manager: lead, ann: one, ben: two } = await tasksTeam();
    try {
      const task = await alone.createTask(lead, { assignee_id: one.id });
      expect(task.awaiting_performer).to.equal(false);
      await alone.become(one, 'deleted');
      await waitFor(async () => (await alone.read(lead, task)).assignee_id === two.id);
      const explained = (await alone.call('whyAssigned', { token: lead.token, params: { id: task.id } })).body;
      expect(explained).to.deep.include({ actor: null, performers: 1 });
      expect(explained)
        .to.have.nested.property('reason')
        .that.matches(/^the assignee was deleted; the only performer$/);
      await alone.become(two, 'manager');
      await waitFor(async () => (await alone.read(lead, task)).state === 'draft');
      expect(await alone.read(lead, task)).to.include({ awaiting_performer: true, assignee_id: null });
    } finally {
      await alone.stop();
    }
  });
});
