import { expect } from 'chai';
import fc from 'fast-check';
import { propertyRuns, propertyTimeoutMs } from '@taskwire/testing';
import type { Answer } from '../support/api.ts';
import { jobTaskTools } from '../support/job-tasks.ts';
import { jobsHarness, type Claimed, type JobClient, type JobsHarness } from '../support/jobs-harness.ts';

/** A step of a user, an operator, a worker or the service. Many steps are refused, depending on the order of concurrent ones. */
const kinds = [
  ...['cancel task', 'cancel job', 'delete task', 'replay', 'edit'],
  ...[
    'claim',
    'claim',
    'claim',
    'complete',
    'complete',
    'fail',
    'fail for good',
    'release',
    'crash',
    'reap',
    'promote',
  ],
] as const;
const step = fc.record({ kind: fc.constantFrom(...kinds), task: fc.nat(7), lease: fc.nat(3) });
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/**
 * The states of a task, each with the states that its job may have. A job of a cancelled or deleted task may be leased until its worker settles it.
 */
const together: Record<string, RegExp> = {
  draft: /^(scheduled|queued|dead)$/,
  in_progress: /^(leased|scheduled|queued|dead)$/,
  completed: /^succeeded$/,
  cancelled: /^(cancelled|leased)$/,
};

describe('Tasks and their jobs, changed at the same time', function () {
  this.timeout(propertyTimeoutMs);
  let harness: JobsHarness;
  let client: JobClient;
  let tools: ReturnType<typeof jobTaskTools>;
  let admin: { token: string };

  before(async () => {
    harness = await jobsHarness();
    admin = await harness.join('Ada', 'admin');
    tools = jobTaskTools(harness, await harness.join('Mona', 'manager'));
  });
  after(async () => await harness.stop());

  type JobTask = Awaited<ReturnType<typeof tools.create>>;

  async function take(
    { kind, task: place, lease: held }: Step,
    tasks: readonly JobTask[],
    leases: Claimed[],
  ): Promise<void> {
    const task = tasks[place]!;
    const lease = leases.at(-1 - held);
    const wellAnswered = ({ status }: Answer) => expect(status, kind).to.be.below(500);
    switch (kind) {
      case 'cancel task':
        return void wellAnswered(await tools.move(task, 'cancelled'));
      case 'cancel job':
        return void wellAnswered(await tools.cancelJob(task));
      case 'delete task':
        return void wellAnswered(await tools.remove(task));
      case 'replay': {
        const replay = { token: admin.token, params: { id: task.job.id }, body: { reason: 'a test' } };
        return void wellAnswered(await harness.call('replayJob', replay));
      }
      case 'edit': {
        const change = { token: admin.token, params: { id: task.id }, headers: { 'if-match': '*' } };
        return void wellAnswered(await harness.call('changeTask', { ...change, body: { title: `Report ${held}` } }));
      }
      case 'claim':
        return void leases.push(...(await client.claim({ limit: 1 + held })));
      case 'complete':
      case 'release':
      case 'fail':
      case 'fail for good':
        if (lease === undefined) return;
        await client.settle(
          kind === 'fail for good' ? 'fail' : kind,
          lease,
          kind === 'fail for good' ? { final: true } : {},
        );
        return;
      case 'crash':
        if (lease !== undefined) await harness.age(lease.id, 3_700);
        return;
      case 'reap':
        await harness.hear();
        return void (await harness.service.reaper.tick());
      case 'promote':
        await harness.sql("UPDATE jobs SET run_at = now() WHERE state = 'scheduled' AND queue = $1", [client.queue]);
        return void (await harness.service.promoter.tick());
    }
  }

  async function expectTogether(tasks: readonly JobTask[]): Promise<void> {
    for (const task of tasks) {
      const states = await tools.states(task);
      const [state = '', job = '', deleted] = states.split('/');
      if (deleted === undefined) expect(job, states).to.match(together[state] ?? /^$/);
      else expect(job, states).to.match(/^(cancelled|leased|succeeded)$/);
      const { actions, events, versions } = await tools.history(task);
      expect(events).to.deep.equal(
        actions.flatMap((action) => (action === 'created' ? ['created', 'changed'] : [action])),
      );
      expect(versions).to.equal(actions.length);
      for (const once of ['started', 'completed', 'cancelled', 'deleted'])
        expect(
          actions.filter((action) => action === once),
          actions.join(),
        ).to.have.length.at.most(1);
      if (job === 'succeeded') expect(actions).to.include('completed');
    }
  }

  it('agree in their states, with one event and one activity entry for each change', async () => {
    const workers = fc.array(fc.array(step, { minLength: 12, maxLength: 20 }), { minLength: 4, maxLength: 5 });
    const run = fc.asyncProperty(workers, async (plans) => {
      client = await harness.client();
      const tasks: JobTask[] = [];
      for (let place = 0; place < 8; place++)
        tasks.push(await tools.create(client, place % 3 === 0 ? { concurrency_key: `k${place % 2}` } : {}));
      await Promise.all(
        plans.map(async (steps) => {
          const leases: Claimed[] = [];
          for (const one of steps) await take(one, tasks, leases);
        }),
      );
      await expectTogether(tasks);
    });
    await fc.assert(run, { ...propertyRuns({ test: 4, drill: 100 }), endOnFailure: true });
  });

  const races: [string, (task: JobTask, lease: Claimed) => Promise<unknown>][] = [
    ['cancelling the task', async (task) => await tools.move(task, 'cancelled')],
    ['deleting the task', async (task) => await tools.remove(task)],
    ['cancelling the job', async (task) => await tools.cancelJob(task)],
    [
      'the reaper',
      async (_, { id }) => {
        await harness.age(id, 3_700);
        await harness.hear();
        await harness.service.reaper.tick();
      },
    ],
  ];
  for (const [what, against] of races) {
    it(`agree when ${what} meets the settlement of the job`, async () => {
      client = await harness.client();
      for (let round = 0; round < 8; round++) {
        const task = await tools.create(client);
        const [lease] = await client.claim();
        await client.beat(lease!);
        await Promise.all([client.settle('complete', lease!), against(task, lease!)]);
        await expectTogether([task]);
        await tools.move(task, 'cancelled');
      }
    });
  }

  it('agree when deleting or cancelling the task meets a claim', async () => {
    client = await harness.client();
    for (let round = 0; round < 8; round++) {
      const task = await tools.create(client);
      const [leases] = await Promise.all([
        client.claim(),
        round % 2 === 0 ? tools.remove(task) : tools.move(task, 'cancelled'),
      ]);
      await expectTogether([task]);
      for (const lease of leases) expect(await client.settle('complete', lease)).to.deep.equal([200, 'cancelled']);
      await expectTogether([task]);
    }
  });
});
