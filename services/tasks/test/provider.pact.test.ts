import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { exampleUserToken, toProvidedMessage, verifyPacts, type ProvidedMessage } from '@taskwire/pact-testing';
import { waitFor } from '@taskwire/testing';
import { projectOf } from './support/projects.ts';
import { tasksHarness, type Person, type TasksHarness } from './support/tasks-harness.ts';

describe('Tasks, as a provider', () => {
  let harness: TasksHarness;
  let manager: Person;

  before(async () => {
    harness = await tasksHarness();
    manager = await harness.join('Mia', 'manager');
  });
  after(async () => await harness.stop());

  const provider = () => ({
    provider: 'tasks',
    baseUrl: harness.service.http.url(),
    token: async () => await harness.auth.serviceToken('tasks:read'),
    userTokens: {
      admin: async () => (await harness.join('Ada', 'admin')).token,
      manager: async () => manager.token,
      member: async () => (await harness.join('Ben', 'member')).token,
    },
  });

  /** The message about this task as the broker delivered it, after outbox and relay. */
  async function published(type: string, taskId: string): Promise<ProvidedMessage> {
    const found = await waitFor(() => harness.observer.about(taskId).findLast((event) => event.type === type));
    return toProvidedMessage(found.delivery);
  }

  /** Creates a task for a new performer, so that no other can be picked at random. */
  async function assigned() {
    const performer = await harness.join('Ann', 'member');
    const task = await harness.assign(manager, await harness.createTask(manager), performer);
    return { task, performer };
  }

  async function transitioned(...states: string[]): Promise<string> {
    const { task, performer } = await assigned();
    for (const state of states) await harness.transition(state === 'cancelled' ? manager : performer, task, state);
    return task.id;
  }

  /** Demotes the assignee, so that the system reassigns the task. */
  async function reassignedBySystem(): Promise<string> {
    const { task, performer } = await assigned();
    await harness.join('Ben', 'member');
    await harness.become(performer, 'manager');
    return task.id;
  }

  /** Creates a task whose due date is near, or has passed. */
  async function due(due_at: string, more: Record<string, unknown> = {}): Promise<string> {
    return (await harness.createTask(manager, { due_at, due_time_zone: 'Europe/Berlin', ...more })).id;
  }
  async function commented(body: string): Promise<{ taskId: string; id: string }> {
    const { id: taskId } = await harness.createTask(manager);
    const answer = await harness.call('addComment', { token: manager.token, params: { id: taskId }, body: { body } });
    return { taskId, id: (answer.body as { id: string }).id };
  }
  async function deletedTask(): Promise<string> {
    const { id } = await harness.createTask(manager);
    await harness.call('deleteTask', { token: manager.token, params: { id }, headers: { 'if-match': '*' } });
    return id;
  }
  const mention = async () => `<@${(await harness.join('Ann', 'member')).id}>`;

  const passed = '2026-01-01T12:00:00Z';

  it('verifies the pact of a front end with the token of the role that the pact names', async () => {
    const pactOf = (role: 'manager' | 'member') => ({
      consumer: { name: 'board' },
      provider: { name: 'tasks' },
      interactions: [
        {
          type: 'Synchronous/HTTP',
          description: `a request for shuffling by a ${role}`,
          request: {
            method: 'POST',
            path: '/api/v1/tasks/shuffle',
            headers: { authorization: [`Bearer ${exampleUserToken(role)}`] },
          },
          response: { status: role === 'manager' ? 200 : 403 },
        },
      ],
      metadata: { pactSpecification: { version: '4.0' } },
    });
    for (const role of ['manager', 'member'] as const) {
      const file = join(mkdtempSync(join(tmpdir(), 'taskwire-pact-')), 'board-tasks.json');
      writeFileSync(file, JSON.stringify(pactOf(role)));
      await verifyPacts({ ...provider(), states: {}, messages: {}, pactUrls: [file] });
      rmSync(dirname(file), { recursive: true });
    }
  }).timeout(120_000);

  it('keeps its pacts', async () => {
    await verifyPacts({
      ...provider(),
      states: {
        'a task': async () => ({ id: (await harness.createTask(manager)).id }),
        'a task that is assigned': async () => ({ id: (await assigned()).task.id }),
        'a task that is due': async () => ({ id: await due('2099-01-01T12:00:00Z') }),
        'a task in a project': async () => {
          const { id: project_id } = await projectOf(harness, manager, []);
          return { id: (await harness.createTask(manager, { project_id })).id };
        },
        'a task that was deleted': async () => ({ id: await deletedTask() }),
        'a task and one that was deleted': async () => ({
          id: (await harness.createTask(manager)).id,
          deleted: await deletedTask(),
        }),
      },
      messages: {
        'an event tasks.task.assigned': async () => await published('tasks.task.assigned', (await assigned()).task.id),
        'an event tasks.task.assigned by the system': async () => {
          const id = await reassignedBySystem();
          await waitFor(
            () => harness.observer.about(id).filter(({ type }) => type === 'tasks.task.assigned').length === 2,
          );
          return await published('tasks.task.assigned', id);
        },
        'an event tasks.task.unassigned': async () => {
          const { task } = await assigned();
          await harness.assign(manager, task, await harness.join('Cas', 'member'));
          return await published('tasks.task.unassigned', task.id);
        },
        'an event tasks.task.unassigned by the system': async () =>
          await published('tasks.task.unassigned', await reassignedBySystem()),
        'an event tasks.task.started': async () =>
          await published('tasks.task.started', await transitioned('in_progress')),
        'an event tasks.task.completed': async () =>
          await published('tasks.task.completed', await transitioned('in_progress', 'completed')),
        'an event tasks.task.cancelled': async () =>
          await published('tasks.task.cancelled', await transitioned('cancelled')),
        'an event tasks.task.unblocked': async () => {
          const { task } = await assigned();
          const blocker = await harness.createTask(manager);
          const params = { id: task.id, other_id: blocker.id };
          await harness.call('addBlocker', { token: manager.token, params });
          await harness.transition(manager, blocker, 'cancelled');
          return await published('tasks.task.unblocked', task.id);
        },
        'an event tasks.task.due_soon': async () => {
          const in12Hours = new Date(Date.now() + 12 * 3_600_000).toISOString();
          const { id: assignee_id } = await harness.join('Ann', 'member');
          // the end of that day is up to 36 hours away
          const more = { assignee_id, due_all_day: true, remind_before: 'P3D' };
          return await published('tasks.task.due_soon', await due(in12Hours, more));
        },
        'an event tasks.task.overdue': async () => {
          const { id: assignee_id } = await harness.join('Ann', 'member');
          return await published('tasks.task.overdue', await due(passed, { assignee_id, due_all_day: true }));
        },
        'an event tasks.comment.added': async () =>
          await published('tasks.comment.added', (await commented(await mention())).taskId),
        'an event tasks.comment.added without mentions': async () =>
          await published('tasks.comment.added', (await commented('Done.')).taskId),
        'an event tasks.comment.changed': async () => {
          const { taskId, id } = await commented(await mention());
          const at = { params: { id: taskId, comment_id: id }, headers: { 'if-match': '*' } };
          await harness.call('changeComment', { token: manager.token, ...at, body: { body: await mention() } });
          return await published('tasks.comment.changed', taskId);
        },
        'an event tasks.task.overdue without a performer': async () =>
          await published('tasks.task.overdue', await due(passed, { due_time_zone: null })),
        'an event tasks.task.cancelled without a performer': async () => {
          const task = await harness.createTask(manager);
          await harness.transition(manager, task, 'cancelled');
          return await published('tasks.task.cancelled', task.id);
        },
      },
    });
  }).timeout(120_000);
});
