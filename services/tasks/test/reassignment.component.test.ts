import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { waitFor } from '@taskwire/testing';
import { assign as assignTo } from '../src/domain/assignment.ts';
import { createTaskStore } from '../src/postgres/task-store.ts';
import { tasksHarness, type Person, type TasksHarness } from './support/tasks-harness.ts';

describe('Reassignment when a performer is deleted or loses the role', () => {
  let harness: TasksHarness;
  let manager: Person;
  let ann: Person;
  let ben: Person;

  beforeEach(async () => {
    harness = await tasksHarness();
    manager = await harness.join('Mona', 'manager');
    ann = await harness.join('Ann', 'member');
    ben = await harness.join('Ben', 'member');
  });
  afterEach(async () => await harness.stop());

  const assign = async (actor: Person, task: { id: string }, body: unknown) =>
    await harness.call('assignTask', { token: actor.token, params: { id: task.id }, body });

  for (const change of ['deleted', 'manager'] as const) {
    it(`moves their open tasks to others, and leaves completed ones alone (${change})`, async () => {
      const begun = await harness.createTask(manager, { assignee_id: ann.id });
      await harness.transition(ann, begun, 'in_progress');
      const waiting = await harness.createTask(manager, { assignee_id: ann.id });
      const done = await harness.createTask(manager, { assignee_id: ann.id });
      await harness.transition(ann, done, 'in_progress');
      const completed = await harness.transition(ann, done, 'completed');

      await harness.become(ann, change);
      for (const task of [begun, waiting]) {
        const moved = await waitFor(async () => {
          const now = await harness.read(ben, task);
          return now.assignee_id === ben.id && now;
        });
        expect(moved.state).to.equal('assigned');
        const [unassigned, assigned] = (await harness.activity(ben, task)).slice(-2);
        const why = change === 'deleted' ? 'the assignee was deleted' : 'the assignee has a different role now';
        expect(unassigned).to.include({
          action: 'unassigned',
          from: ann.id,
          actor: null,
          reason: `${why}; the only performer`,
        });
        expect(assigned).to.include({ action: 'assigned', to: ben.id, actor: null });
      }
      expect((await harness.read(ben, completed)).assignee_id).to.equal(ann.id);
      const events = await harness.observer.expectAbout(waiting.id, [
        'created',
        'changed',
        'assigned',
        'unassigned',
        'assigned',
      ]);
      expect(events.slice(-2).map((event) => event.payload['actor'])).to.deep.equal([null, null]);
    });
  }

  it('turns their tasks into drafts when there is no other performer, and assigns these to the first one who appears', async () => {
    await harness.become(ben, 'manager');
    const task = await harness.createTask(manager, { assignee_id: ann.id });
    const untouched = await harness.createTask(manager);
    await harness.become(ann, 'deleted');
    const draft = await waitFor(async () => {
      const now = await harness.read(manager, task);
      return now.state === 'draft' && now;
    });
    expect(draft).to.include({ assignee_id: null });
    expect((await harness.activity(manager, task)).at(-1)).to.include({
      action: 'unassigned',
      reason: 'the assignee was deleted; no other performer is available',
    });
    expect(await harness.service.reassigner.tick()).to.equal('idle');

    const cas = await harness.join('Cas', 'member');
    await waitFor(async () => (await harness.read(manager, task)).assignee_id === cas.id);
    expect((await harness.activity(manager, task)).at(-1)).to.include({
      action: 'assigned',
      reason: 'a performer is available again; the only performer',
    });
    expect(await harness.read(manager, untouched)).to.deep.equal(untouched);
    await harness.observer.expectAbout(task.id, ['created', 'changed', 'assigned', 'unassigned', 'assigned']);
  });

  it('distributes more tasks than fit into one round evenly', async () => {
    const cas = await harness.join('Cas', 'member');
    await Promise.all(
      Array.from({ length: 50 }, async () => await harness.createTask(manager, { assignee_id: ann.id })),
    );
    await harness.become(ann, 'deleted');
    const counts = await waitFor(async () => {
      const rows = await query<{ assignee_id: string; count: number }>(
        harness.database.db.pool,
        'SELECT assignee_id, count(*)::integer AS count FROM tasks GROUP BY assignee_id ORDER BY count',
      );
      return rows.every((row) => row.assignee_id !== ann.id) && rows;
    });
    expect(counts.map((row) => row.count)).to.deep.equal([25, 25]);
    expect(counts.map((row) => row.assignee_id)).to.have.members([ben.id, cas.id]);
  });

  it('leaves them no task, not even one that was assigned concurrently', async () => {
    for (let round = 0; round < 5; round++) {
      const eve = await harness.join(`Eve ${round}`, 'member');
      const firstMade = Promise.withResolvers<void>();
      const body = { title: 'Paint the fence', assignee_id: eve.id };
      const untilRefused = async (): Promise<void> => {
        for (;;) {
          const task = await harness.createTask(manager);
          const answers = [
            await assign(manager, task, { assignee_id: eve.id }),
            await harness.call('createTask', { token: manager.token, body }),
          ];
          if (answers.some((answer) => answer.status === 422)) return;
          firstMade.resolve();
        }
      };
      const assigning = Promise.all([untilRefused(), untilRefused()]);
      await firstMade.promise;
      await harness.become(eve, 'manager');
      await assigning;
      await waitFor(async () => {
        const left = await query(
          harness.database.db.pool,
          "SELECT FROM tasks WHERE assignee_id = $1 AND state IN ('assigned', 'in_progress')",
          [eve.id],
        );
        return left.length === 0;
      });
    }
  });

  it('skips a task that another transaction has locked', async () => {
    const locked = await harness.createTask(manager, { assignee_id: ann.id });
    const free = await harness.createTask(manager, { assignee_id: ann.id });
    const release = Promise.withResolvers<void>();
    const holding = harness.database.db.transaction(async (tx) => {
      await query(tx, 'SELECT FROM tasks WHERE id = $1 FOR UPDATE', [locked.id]);
      await release.promise;
    });
    await harness.become(ann, 'deleted');
    await waitFor(async () => (await harness.read(ben, free)).assignee_id === ben.id);
    expect((await harness.read(ben, locked)).assignee_id).to.equal(ann.id);
    release.resolve();
    await holding;
    await waitFor(async () => (await harness.read(ben, locked)).assignee_id === ben.id);
  });

  it('finds their tasks without a wake-up, as after a crash', async () => {
    const tasks = [
      await harness.createTask(manager, { assignee_id: ann.id }),
      await harness.createTask(manager, { assignee_id: ann.id }),
    ];
    await query(harness.database.db.pool, "UPDATE directory_users SET role = 'manager' WHERE id = $1", [ann.id]);
    expect(await harness.service.reassigner.tick()).to.equal('idle');
    for (const task of tasks) expect(await harness.read(ben, task)).to.include({ assignee_id: ben.id });
  });

  it('is woken by the transaction that confirms a deletion, after its commit', async () => {
    for (let round = 0; round < 5; round++) {
      const eve = await harness.join(`Eve ${round}`, 'member');
      const task = await harness.createTask(manager, { assignee_id: eve.id });
      await harness.become(eve, 'deleted');
      const confirmed = performance.now();
      await waitFor(async () => (await harness.read(manager, task)).assignee_id !== eve.id);
      expect(performance.now() - confirmed, 'sooner than the poll').to.be.below(2000);
    }
  });

  it('moves no task while only an event says that the assignee was deleted', async () => {
    const task = await harness.createTask(manager, { assignee_id: ann.id });
    const ask = async () => (await harness.call('getTask', { token: ann.token, params: { id: task.id } })).status;
    const deletion = { user_id: ann.id, timestamp: new Date(Date.now() + 1_000).toISOString() };
    harness.auth.outage = 503;
    await harness.database.db.transaction(
      async (tx) => await harness.service.directory.record(tx, 'auth.user.deleted', deletion, 1),
    );
    await waitFor(async () => (await ask()) === 401, { what: 'the access to end' });
    await harness.service.reassigner.tick();
    expect((await harness.read(ben, task)).assignee_id).to.equal(ann.id);
    // Auth is back and denies the deletion
    harness.auth.outage = undefined;
    await waitFor(async () => (await ask()) === 200, { timeoutMs: 20_000, what: 'the access to come back' });
    await harness.service.reassigner.tick();
    expect(await harness.read(ben, task)).to.include({ assignee_id: ann.id, version: 1 });
    await harness.observer.expectAbout(task.id, ['created', 'changed', 'assigned']);
  }).timeout(40_000);

  it('rejects an assignment to a user whose uncommitted role change ends their eligibility', async () => {
    const task = await harness.createTask(manager);
    const answers = await harness.database.db.transaction(async (tx) => {
      await query(tx, "UPDATE directory_users SET role = 'manager' WHERE id = $1", [ann.id]);
      const asked = [
        assign(manager, task, { assignee_id: ann.id }),
        harness.call('createTask', { token: manager.token, body: { title: 'x', assignee_id: ann.id } }),
      ];
      await waitFor(async () => (await waiting()).length >= asked.length);
      return asked;
    });
    for (const answer of await Promise.all(answers)) expect(answer.status).to.equal(422);
    expect((await harness.read(ben, task)).assignee_id).to.equal(null);
  });

  it('picks another performer when the one it picked is losing the role', async () => {
    await harness.createTask(manager, { assignee_id: ben.id });
    const answer = await harness.database.db.transaction(async (tx) => {
      await query(tx, "UPDATE directory_users SET role = 'manager' WHERE id = $1", [ann.id]);
      const asked = harness.createTask(manager, { assign: 'random' });
      await waitFor(async () => (await waiting()).length >= 1);
      return { asked };
    });
    expect(await answer.asked).to.include({ assignee_id: ben.id });
  });

  it('makes a role change wait for an uncommitted assignment', async () => {
    const task = await harness.createTask(manager, { assignee_id: ben.id });
    const store = createTaskStore(harness.database.db);
    const change = await store.transaction(async (tx) => {
      const locked = await store.lockTask(tx, task.id, null);
      if (locked === undefined) throw new Error('the task is gone');
      expect(await store.lockEligibility(tx, ann.id, null)).to.equal('eligible');
      const changing = harness.become(ann, 'manager');
      await waitFor(async () => (await waiting()).length > 0);
      await store.applyChange(tx, locked, assignTo(locked, ann.id, { reason: null }), manager.id);
      return { changing };
    });
    await change.changing;
    await waitFor(async () => (await harness.read(ben, task)).assignee_id === ben.id);
  });

  /** The statements that are waiting for a lock. */
  async function waiting(): Promise<string[]> {
    const rows = await query<{ query: string }>(
      harness.database.db.pool,
      "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    );
    return rows.map((row) => row.query);
  }
});
