import { expect } from 'chai';
import { jobTaskTools } from '../support/job-tasks.ts';
import { jobsHarness, type JobClient, type JobsHarness } from '../support/jobs-harness.ts';
import { expectDone, linkTools } from '../support/links.ts';
import type { Person } from '../support/tasks-harness.ts';

describe('A task of a job that blocks another task', () => {
  let harness: JobsHarness;
  let client: JobClient;
  let manager: Person;
  let tools: ReturnType<typeof jobTaskTools>;
  let links: ReturnType<typeof linkTools>;

  before(async () => {
    harness = await jobsHarness();
    manager = await harness.join('Mona', 'manager');
    tools = jobTaskTools(harness, manager);
    links = linkTools(harness);
  });
  after(async () => await harness.stop());
  beforeEach(async () => (client = await harness.client()));

  const claimed = async () => (await client.claim({ limit: 1 }))[0]!;
  type JobTask = Awaited<ReturnType<typeof tools.create>>;

  /** The ways in which a job ends with its task. */
  const ways: Record<string, (blocker: JobTask) => Promise<unknown>> = {
    'when a worker completes the job': async () =>
      expect(await client.settle('complete', await claimed())).to.deep.equal([200, 'succeeded']),
    'when the job is cancelled': async (blocker) => await tools.cancelJob(blocker),
    'when the task is cancelled while the job runs': async (blocker) => {
      await claimed();
      await tools.move(blocker, 'cancelled');
    },
    'when the task is deleted': async (blocker) => await tools.remove(blocker),
  };
  for (const [way, end] of Object.entries(ways)) {
    it(`unblocks it ${way}, once`, async () => {
      const blocker = await tools.create(client);
      const blocked = await harness.createTask(manager);
      expectDone(await links.block(manager, blocked, blocker));
      await end(blocker);
      const text = "SELECT type FROM outbox WHERE aggregate_id = $1 AND type = 'tasks.task.unblocked'";
      expect(await harness.sql(text, [blocked.id])).to.have.length(1);
      const actions = (await harness.activity(manager, blocked)).map(({ action }) => action);
      expect(actions).to.deep.equal(['created', 'blocker_added', 'unblocked']);
    });
  }

  it('still blocks it while its job is dead', async () => {
    const blocker = await tools.create(client);
    const blocked = await harness.createTask(manager);
    expectDone(await links.block(manager, blocked, blocker));
    expect(await client.settle('fail', await claimed(), { final: true })).to.deep.equal([200, 'dead']);
    expect(await tools.states(blocker)).to.equal('in_progress/dead');
    const { body } = await harness.call('listTasks', { token: manager.token, query: { blocked: 'true' } });
    expect((body as { data: { id: string }[] }).data.map(({ id }) => id)).to.include(blocked.id);
  });
});
