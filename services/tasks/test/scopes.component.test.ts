import { tasksRoutes } from '@taskwire/contracts';
import { walkScopes, type TokenHolder } from '@taskwire/testing';
import { expect } from 'chai';
import { codeOf, type Call } from './support/api.ts';
import { audience } from './support/fake-auth.ts';
import { tasksHarness, type Person, type TasksHarness } from './support/tasks-harness.ts';

describe('The access of an application to tasks on behalf of a user', () => {
  let harness: TasksHarness;
  let admin: Person;
  before(async () => {
    harness = await tasksHarness();
    admin = await harness.join('Ada', 'admin');
    await harness.join('Ann', 'member');
  });
  after(async () => {
    await harness.stop();
  });

  const serviceOf = (scopes: readonly string[]) => ({
    clientId: 'service',
    scope: scopes.join(' '),
    queues: ['reports'],
  });

  async function tokenOf(holder: TokenHolder): Promise<{ token: string; userId: string }> {
    if (holder.kind === 'first_party') return { token: admin.token, userId: admin.id };
    if (holder.kind === 'service') {
      return { token: await harness.auth.workerToken(serviceOf(holder.scopes)), userId: admin.id };
    }
    const application = { clientId: 'portal', scopes: holder.scopes };
    return { token: await harness.auth.userToken(admin, { application }), userId: admin.id };
  }

  it('is what the contract says, for every operation and every scope', async () => {
    const bodies = {
      createTask: { title: 'Paint the fence' },
      changeTask: { title: 'Paint the gate' },
      createView: { name: 'Mine' },
      changeView: { name: 'Mine' },
      createTaskTemplate: { name: 'Mine', task: { title: 'Paint the fence' } },
      changeTaskTemplate: { name: 'Mine' },
      instantiateTaskTemplate: { values: {} },
      moveTask: { view_id: crypto.randomUUID(), before_id: crypto.randomUUID() },
      assignTask: { assign: 'random' },
      transitionTask: { state: 'cancelled' },
      bulkTasks: { operations: [{ op: 'create', body: { title: 'Paint the fence' } }] },
      addComment: { body: 'Done.' },
      changeComment: { body: 'Done.' },
      createSchedule: { kind: 'cron', expression: '0 9 * * *', target: { kind: 'task', title: 'x' } },
      changeSchedule: { expression: '0 9 * * *' },
      backfillSchedule: { from: new Date().toISOString(), to: new Date().toISOString() },
      previewSchedule: { kind: 'cron', expression: '0 9 * * *' },
      replayTasksDeadLetters: { filter: {} },
      dropTasksDeadLetter: { reason: 'a test' },
      enqueueJob: { queue: 'reports', kind: 'test' },
      enqueueJobs: { jobs: [{ queue: 'reports', kind: 'test' }] },
      setJobLimit: { max_running: 1, rate: null },
      replayJob: { reason: 'a test' },
      replayJobs: { reason: 'a test' },
      dropJobs: { reason: 'a test' },
      claimJobs: { claim_id: crypto.randomUUID(), queues: ['reports'], worker: 'w' },
    };
    const baseUrl = harness.service.http.url();
    const { answers, faults } = await walkScopes({ baseUrl, audience, routes: tasksRoutes, tokenOf, bodies });
    expect(answers).to.be.above(200);
    expect(faults).to.deep.equal([]);
  });

  it('with tasks:read is limited to reading: nothing is created, shuffled or deleted', async () => {
    const task = await harness.createTask(admin, { assign: 'random' });
    const { token } = await tokenOf({ kind: 'third_party', scopes: ['tasks:read'] });
    const at = { token, params: { id: task.id } };
    expect((await harness.call('getTask', at)).status).to.equal(200);
    expect((await harness.call('listTasks', { token })).status).to.equal(200);
    const writes: [Parameters<TasksHarness['call']>[0], Call][] = [
      ['createTask', { token, body: { title: 'x' } }],
      ['changeTask', { ...at, body: { title: 'x' }, headers: { 'if-match': '*' } }],
      ['assignTask', { ...at, body: { assign: 'random' } }],
      ['transitionTask', { ...at, body: { state: 'cancelled' } }],
      ['shuffleTasks', { token }],
      ['deleteTask', { ...at, headers: { 'if-match': '*' } }],
      ['restoreTask', at],
    ];
    for (const [operation, call] of writes) {
      expect(codeOf(await harness.call(operation, call)), operation).to.equal('insufficient_scope');
    }
    expect(await harness.read(admin, task)).to.deep.equal(task);
  });

  it('with tasks:read and tasks:write excludes shuffling and dead letters', async () => {
    const { token } = await tokenOf({ kind: 'third_party', scopes: ['tasks:read', 'tasks:write'] });
    expect((await harness.call('createTask', { token, body: { title: 'x' } })).status).to.equal(201);
    for (const operation of ['shuffleTasks', 'listDeadLetters'] as const) {
      expect(codeOf(await harness.call(operation, { token })), operation).to.equal('insufficient_scope');
    }
  });
});
