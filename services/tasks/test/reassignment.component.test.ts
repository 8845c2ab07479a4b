import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { waitFor } from '@taskwire/testing';
import { assign as assignTo } from '../src/domain/assignment.ts';
import { createTaskStore } from '../src/postgres/task-store.ts';
import { tasksWorld, type Person, type TasksWorld } from './support/tasks-world.ts';

describe('Reassignment after a performer was deleted or lost the role', () => {
  let world: TasksWorld;
  let manager: Person;
  let ann: Person;
  let ben: Person;

  beforeEach(async () => {
    world = await tasksWorld();
    manager = await world.join('Mona', 'manager');
    ann = await world.join('Ann', 'member');
    ben = await world.join('Ben', 'member');
  });
  afterEach(async () => await world.stop());

  const assign = async (actor: Person, task: { id: string }, body: unknown) =>
    await world.call('assignTask', { token: actor.token, params: { id: task.id }, body });

  for (const change of ['deleted', 'manager'] as const) {
    it(`moves their open tasks to others, and leaves completed ones (${change})`, async () => {
      const begun = await world.createTask(manager, { assignee_id: ann.id });
      await world.transition(ann, begun, 'in_progress');
      const waiting = await world.createTask(manager, { assignee_id: ann.id });
      const done = await world.createTask(manager, { assignee_id: ann.id });
      await world.transition(ann, done, 'in_progress');
      const completed = await world.transition(ann, done, 'completed');

      await world.become(ann, change);
      for (const task of [begun, waiting]) {
        const moved = await waitFor(async () => {
          const now = await world.read(ben, task);
          return now.assignee_id === ben.id && now;
        });
        expect(moved.state).to.equal('assigned');
        const [unassigned, assigned] = (await world.activity(ben, task)).slice(-2);
        const why = change === 'deleted' ? 'the assignee was deleted' : 'the assignee has a different role now';
        expect(unassigned).to.include({
          action: 'unassigned',
          from: ann.id,
          actor: null,
          reason: `${why}; the only performer`,
        });
        expect(assigned).to.include({ action: 'assigned', to: ben.id, actor: null });
      }
      expect((await world.read(ben, completed)).assignee_id).to.equal(ann.id);
      const events = await world.observer.expectAbout(waiting.id, [
        'created',
        'changed',
        'assigned',
        'unassigned',
        'assigned',
      ]);
      expect(events.slice(-2).map((event) => event.payload['actor'])).to.deep.equal([null, null]);
    });
  }

  it('turns their tasks into drafts without another performer, and assigns these to the first one who appears', async () => {
    await world.become(ben, 'manager');
    const task = await world.createTask(manager, { assignee_id: ann.id });
    const untouched = await world.createTask(manager);
    await world.become(ann, 'deleted');
    const draft = await waitFor(async () => {
      const now = await world.read(manager, task);
      return now.state === 'draft' && now;
    });
    expect(draft).to.include({ assignee_id: null });
    expect((await world.activity(manager, task)).at(-1)).to.include({
      action: 'unassigned',
      reason: 'the assignee was deleted; no other performer is available',
    });
    expect(await world.service.reassigner.tick()).to.equal('idle');

    const cas = await world.join('Cas', 'member');
    await waitFor(async () => (await world.read(manager, task)).assignee_id === cas.id);
    expect((await world.activity(manager, task)).at(-1)).to.include({
      action: 'assigned',
      reason: 'a performer is available again; the only performer',
    });
    expect(await world.read(manager, untouched)).to.deep.equal(untouched);
    await world.observer.expectAbout(task.id, ['created', 'changed', 'assigned', 'unassigned', 'assigned']);
  });

  it('distributes more tasks than fit into one round evenly', async () => {
    const cas = await world.join('Cas', 'member');
    await Promise.all(Array.from({ length: 50 }, async () => await world.createTask(manager, { assignee_id: ann.id })));
    await world.become(ann, 'deleted');
    const counts = await waitFor(async () => {
      const rows = await query<{ assignee_id: string; count: number }>(
        world.database.db.pool,
        'SELECT assignee_id, count(*)::integer AS count FROM tasks GROUP BY assignee_id ORDER BY count',
      );
      return rows.every((row) => row.assignee_id !== ann.id) && rows;
    });
    expect(counts.map((row) => row.count)).to.deep.equal([25, 25]);
    expect(counts.map((row) => row.assignee_id)).to.have.members([ben.id, cas.id]);
  });

  it('leaves no task with them, even of those assigned concurrently', async () => {
    for (let round = 0; round < 5; round++) {
      const eve = await world.join(`Eve ${round}`, 'member');
      const firstMade = Promise.withResolvers<void>();
      const body = { title: 'Paint the fence', assignee_id: eve.id };
      const untilRefused = async (): Promise<void> => {
        for (;;) {
          const task = await world.createTask(manager);
          const answers = [
            await assign(manager, task, { assignee_id: eve.id }),
            await world.call('createTask', { token: manager.token, body }),
          ];
          if (answers.some((answer) => answer.status === 422)) return;
          firstMade.resolve();
        }
      };
      const assigning = Promise.all([untilRefused(), untilRefused()]);
      await firstMade.promise;
      await world.become(eve, 'manager');
      await assigning;
      await waitFor(async () => {
        const left = await query(
          world.database.db.pool,
          "SELECT FROM tasks WHERE assignee_id = $1 AND state IN ('assigned', 'in_progress')",
          [eve.id],
        );
        return left.length === 0;
      });
    }
  });

  it('skips a task that another transaction has locked', async () => {
    const locked = await world.createTask(manager, { assignee_id: ann.id });
    const free = await world.createTask(manager, { assignee_id: ann.id });
    const release = Promise.withResolvers<void>();
    const holding = world.database.db.transaction(async (tx) => {
      await query(tx, 'SELECT FROM tasks WHERE id = $1 FOR UPDATE', [locked.id]);
      await release.promise;
    });
    await world.become(ann, 'deleted');
    await waitFor(async () => (await world.read(ben, free)).assignee_id === ben.id);
    expect((await world.read(ben, locked)).assignee_id).to.equal(ann.id);
    release.resolve();
    await holding;
    await waitFor(async () => (await world.read(ben, locked)).assignee_id === ben.id);
  });

  it('finds their tasks without a wake-up, as after a crash', async () => {
    const tasks = [
      await world.createTask(manager, { assignee_id: ann.id }),
      await world.createTask(manager, { assignee_id: ann.id }),
    ];
    await query(world.database.db.pool, "UPDATE directory_users SET role = 'manager' WHERE id = $1", [ann.id]);
    expect(await world.service.reassigner.tick()).to.equal('idle');
    for (const task of tasks) expect(await world.read(ben, task)).to.include({ assignee_id: ben.id });
  });

  it('is woken by the transaction that confirms a deletion, after its commit', async () => {
    for (let round = 0; round < 5; round++) {
      const eve = await world.join(`Eve ${round}`, 'member');
      const task = await world.createTask(manager, { assignee_id: eve.id });
      await world.become(eve, 'deleted');
      const confirmed = performance.now();
      await waitFor(async () => (await world.read(manager, task)).assignee_id !== eve.id);
      expect(performance.now() - confirmed, 'sooner than the poll').to.be.below(2000);
    }
  });

  it('moves no task while an event alone says that the assignee was deleted', async () => {
    const task = await world.createTask(manager, { assignee_id: ann.id });
    const ask = async () => (await world.call('getTask', { token: ann.token, params: { id: task.id } })).status;
    const deletion = { user_id: ann.id, timestamp: new Date(Date.now() + 1_000).toISOString() };
    world.auth.outage = 503;
    await world.database.db.transaction(
      async (tx) => await world.service.directory.record(tx, 'auth.user.deleted', deletion),
    );
    await waitFor(async () => (await ask()) === 401, { what: 'the access to end' });
    await world.service.reassigner.tick();
    expect((await world.read(ben, task)).assignee_id).to.equal(ann.id);
    // Auth is back and denies the deletion
    world.auth.outage = undefined;
    await waitFor(async () => (await ask()) === 200, { timeoutMs: 20_000, what: 'the access to come back' });
    await world.service.reassigner.tick();
    expect(await world.read(ben, task)).to.include({ assignee_id: ann.id, version: 1 });
    await world.observer.expectAbout(task.id, ['created', 'changed', 'assigned']);
  }).timeout(40_000);

  it('rejects an assignment to a user whose uncommitted role change ends their eligibility', async () => {
    const task = await world.createTask(manager);
    const answers = await world.database.db.transaction(async (tx) => {
      await query(tx, "UPDATE directory_users SET role = 'manager' WHERE id = $1", [ann.id]);
      const asked = [
        assign(manager, task, { assignee_id: ann.id }),
        world.call('createTask', { token: manager.token, body: { title: 'x', assignee_id: ann.id } }),
      ];
      await waitFor(async () => (await waiting()).length >= asked.length);
      return asked;
    });
    for (const answer of await Promise.all(answers)) expect(answer.status).to.equal(422);
    expect((await world.read(ben, task)).assignee_id).to.equal(null);
  });

  it('picks another performer when the one it picked is losing the role', async () => {
    await world.createTask(manager, { assignee_id: ben.id });
    const answer = await world.database.db.transaction(async (tx) => {
      await query(tx, "UPDATE directory_users SET role = 'manager' WHERE id = $1", [ann.id]);
      const asked = world.createTask(manager, { assign: 'random' });
      await waitFor(async () => (await waiting()).length >= 1);
      return { asked };
    });
    expect(await answer.asked).to.include({ assignee_id: ben.id });
  });

  it('makes a role change wait for an uncommitted assignment', async () => {
    const task = await world.createTask(manager, { assignee_id: ben.id });
    const store = createTaskStore(world.database.db);
    const change = await store.transaction(async (tx) => {
      const locked = await store.lockTask(tx, task.id);
      if (locked === undefined) throw new Error('the task is gone');
      expect(await store.lockEligibility(tx, ann.id)).to.equal('eligible');
      const changing = world.become(ann, 'manager');
      await waitFor(async () => (await waiting()).length > 0);
      await store.applyChange(tx, locked, assignTo(locked, ann.id, null), manager.id);
      return { changing };
    });
    await change.changing;
    await waitFor(async () => (await world.read(ben, task)).assignee_id === ben.id);
  });

  /** The statements that are waiting for a lock. */
  async function waiting(): Promise<string[]> {
    const rows = await query<{ query: string }>(
      world.database.db.pool,
      "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    );
    return rows.map((row) => row.query);
  }
});
