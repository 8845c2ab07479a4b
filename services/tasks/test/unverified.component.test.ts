import { tasksRoutes, type Route } from '@taskwire/contracts';
import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { waitFor } from '@taskwire/testing';
import { call, codeOf } from './support/api.ts';
import { tasksHarness, type Person, type TasksHarness } from './support/tasks-harness.ts';

type Operation = keyof typeof tasksRoutes;

describe('Unverified accounts at Tasks', () => {
  let harness: TasksHarness;
  let manager: Person;
  beforeEach(async () => {
    harness = await tasksHarness();
    manager = await harness.join('Mia', 'manager');
  });
  afterEach(async () => await harness.stop());

  /** Adds a user with an unverified address to the directory. */
  const stranger = async (role: Person['role'] = 'member') => await harness.join('Eve', role, { emailVerified: false });

  const assignRandom = async (task: { id: string }) =>
    await harness.call('assignTask', { token: manager.token, params: { id: task.id }, body: { assign: 'random' } });

  const operations = (Object.entries(tasksRoutes) as [Operation, Route][]).flatMap(([name, { access }]) =>
    access.kind === 'user' ? [name] : [],
  );

  it('read no task and change none, whatever their role and whether or not the directory has them', async () => {
    const task = await harness.createTask(manager);
    const unknown = { id: crypto.randomUUID(), role: 'admin' } as const;
    const tokens = [
      (await stranger()).token,
      (await stranger('admin')).token,
      await harness.auth.userToken(unknown, { emailVerified: false }),
    ];
    for (const token of tokens) {
      for (const operation of operations) {
        const answer = await harness.call(operation, {
          token,
          params: {
            ...{ id: task.id, comment_id: task.id, task_id: task.id, other_id: task.id, user_id: manager.id },
            ...{ queue: 'reports', key: 'a' },
          },
        });
        expect([answer.status, codeOf(answer)], operation).to.deep.equal([403, 'email_not_verified']);
      }
    }
    expect(await harness.read(manager, task)).to.deep.equal(task);
  });

  it('have full access within a second of the verification, with the same token', async () => {
    const eve = await stranger();
    const listed = async () => (await harness.call('listTasks', { token: eve.token })).status;
    expect(await listed()).to.equal(403);
    await harness.verify(eve, true);
    await waitFor(async () => (await listed()) === 200, { timeoutMs: 1_000 });
    await harness.verify(eve, false);
    await waitFor(async () => (await listed()) === 403, { timeoutMs: 1_000 });
  });

  it('are never picked at random, however many they are and however few tasks they have', async () => {
    const ann = await harness.join('Ann', 'member');
    for (let count = 0; count < 7; count++) await stranger();
    for (let count = 0; count < 8; count++) {
      const created = await harness.createTask(manager, { assign: 'random' });
      expect(created.assignee_id).to.equal(ann.id);
      const assigned = await assignRandom(await harness.createTask(manager));
      expect(assigned.body).to.include({ assignee_id: ann.id });
    }
    const shuffled = await harness.call('shuffleTasks', { token: manager.token });
    expect(shuffled.body).to.deep.equal({ open: 16, reassigned: 0 });
  });

  it('are not performers, even when they are the only members', async () => {
    await stranger();
    const draft = await harness.createTask(manager);
    expect(codeOf(await assignRandom(draft))).to.equal('no_performers');
    const body = { title: 'Paint', assign: 'random' };
    expect(codeOf(await harness.call('createTask', { token: manager.token, body }))).to.equal('no_performers');
    expect(codeOf(await harness.call('shuffleTasks', { token: manager.token }))).to.equal('no_performers');
  });

  it('cannot be assigned by id, whether known to the directory or only to Auth, and the response gives the reason', async () => {
    const eve = await stranger();
    const id = crypto.randomUUID();
    const draft = await harness.createTask(manager);
    harness.auth.users.set(id, {
      id,
      name: 'New',
      role: 'member',
      version: 1,
      is_deleted: false,
      email_verified: false,
    });
    for (const assignee_id of [eve.id, id]) {
      const answers = [
        await harness.call('createTask', { token: manager.token, body: { title: 'Paint', assignee_id } }),
        await harness.call('assignTask', { token: manager.token, params: { id: draft.id }, body: { assignee_id } }),
      ];
      for (const answer of answers) {
        expect([answer.status, codeOf(answer)]).to.deep.equal([422, 'ineligible_assignee']);
        expect((answer.body as { detail: string }).detail).to.contain('e-mail address is not verified');
      }
    }
    expect(await harness.read(manager, draft)).to.include({ state: 'draft', assignee_id: null });
  });

  it('become performers by verifying, and get the tasks that await one', async () => {
    const ann = await harness.join('Ann', 'member');
    const eve = await stranger();
    const task = await harness.createTask(manager, { assignee_id: ann.id });
    await harness.become(ann, 'deleted');
    await waitFor(async () => (await harness.read(manager, task)).state === 'draft');
    await harness.verify(eve, true);
    await waitFor(async () => (await harness.read(manager, task)).assignee_id === eve.id);
  });

  it('lose their tasks when their address is no longer verified, with the reason in the activity log', async () => {
    const [ann, ben] = [await harness.join('Ann', 'member'), await harness.join('Ben', 'member')];
    const task = await harness.createTask(manager, { assignee_id: ann.id });
    await harness.verify(ann, false);
    await waitFor(async () => (await harness.read(manager, task)).assignee_id === ben.id);
    const reasons = (await harness.activity(manager, task)).map(({ reason }) => reason);
    expect(reasons.at(-1)).to.contain("the assignee's e-mail address is not verified");
    await harness.verify(ben, false);
    await waitFor(async () => (await harness.read(manager, task)).state === 'draft');
    expect(await harness.service.telemetry.metrics.metrics()).to.match(
      /tasks_awaiting_reassignment\{reason="orphaned"[^}]*\} 0\n/,
    );
  });

  it('keep their tasks while the directory does not know whether they are verified', async () => {
    const ann = await harness.join('Ann', 'member');
    const task = await harness.createTask(manager, { assignee_id: ann.id });
    await query(harness.database.db.pool, 'UPDATE directory_users SET email_verified = NULL');
    await harness.service.reassigner.tick();
    expect(await harness.read(manager, task)).to.include({ assignee_id: ann.id });
    expect((await assignRandom(await harness.createTask(manager))).body).to.include({ assignee_id: ann.id });
  });

  it('are ordinary users where the operator does not require verification', async () => {
    const { http } = await harness.replica({ AUTH_REQUIRE_VERIFIED_EMAIL: 'false', PROCESS_ROLE: 'api' });
    const eve = await stranger();
    const body = { title: 'Paint', assign: 'random' };
    const created = await call(http.url(), 'createTask', { token: manager.token, body });
    expect(created.body).to.include({ assignee_id: eve.id });
    expect((await call(http.url(), 'listTasks', { token: eve.token })).status).to.equal(200);
  });
});
