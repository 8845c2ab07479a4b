import { expect } from 'chai';
import { jobsHarness, type JobClient, type JobsHarness, type ProblemBody } from '../support/jobs-harness.ts';

describe('Jobs that are not due', () => {
  let harness: JobsHarness;
  let client: JobClient;

  before(async () => (harness = await jobsHarness()));
  after(async () => await harness.stop());
  beforeEach(async () => (client = await harness.client()));

  const promote = async () => {
    while ((await harness.service.promoter.tick()) === 'more');
  };
  const stateOf = async ({ id }: { id: string }) => {
    const { state, reason } = await client.read(id);
    return reason === null ? state : `${state}: ${reason}`;
  };
  async function run(verb: 'complete' | 'fail', more: Record<string, unknown> = {}): Promise<void> {
    const [job] = await client.claim({ limit: 1 });
    await client.settle(verb, job!, more);
  }

  it('are scheduled until their time, then queued, whatever their priority', async () => {
    const job = await client.enqueue({ run_at: new Date(Date.now() + 60_000).toISOString(), priority: 9 });
    expect(job.state).to.equal('scheduled');
    await promote();
    expect(await client.claim()).to.deep.equal([]);
    await harness.age(job.id, 61);
    await promote();
    expect(await client.claim()).to.have.length(1);
  });

  it('run now if their time is in the past, without overtaking others', async () => {
    const [first, past] = [await client.enqueue(), await client.enqueue({ run_at: '2020-01-01T00:00:00Z' })];
    expect((await client.claim()).map(({ id }) => id)).to.deep.equal([first.id, past.id]);
  });

  it('are dead when their deadline passes before they start, queued or not', async () => {
    const deadline = new Date(Date.now() + 60_000).toISOString();
    const predecessor = await client.enqueue();
    const [running] = await client.claim();
    const jobs = [await client.enqueue({ deadline }), await client.enqueue({ deadline, after: [predecessor.id] })];
    for (const job of jobs) await harness.age(job.id, 61);
    expect(await client.claim()).to.deep.equal([]);
    await promote();
    for (const job of jobs) expect(await stateOf(job)).to.equal('dead: deadline');
    expect(await client.settle('complete', running!)).to.deep.equal([200, 'succeeded']);
    await promote();
    const started = await client.enqueue({ deadline });
    const [lease] = await client.claim();
    await harness.age(started.id, 29);
    expect(await client.settle('complete', lease!)).to.deep.equal([200, 'succeeded']);
  });

  it('start once all predecessors have succeeded', async () => {
    const [one, two] = [await client.enqueue(), await client.enqueue()];
    const job = await client.enqueue({ after: [two.id, one.id] });
    expect(job.state).to.equal('scheduled');
    await run('complete');
    await promote();
    expect(await stateOf(job)).to.equal('scheduled');
    await run('complete');
    await promote();
    expect(await stateOf(job)).to.equal('queued');
    expect((await client.enqueue({ after: [one.id, two.id] })).state).to.equal('queued');
  });

  it('are cancelled together with their successors when a predecessor dies, before or after they were enqueued', async () => {
    const first = await client.enqueue();
    const second = await client.enqueue({ after: [first.id] });
    const third = await client.enqueue({ after: [second.id] });
    await run('fail', { final: true });
    const late = await client.enqueue({ after: [first.id] });
    await promote();
    for (const job of [second, third, late]) expect(await stateOf(job)).to.equal('cancelled: predecessor');
    const [left] = await harness.sql<{ count: number }>('SELECT count(*)::integer FROM job_dependencies');
    expect(left?.count).to.equal(0);
  });

  it('never wait forever, even if predecessors are settled while they are enqueued', async () => {
    const predecessors = await Promise.all(Array.from({ length: 20 }, async () => await client.enqueue()));
    const leases = await client.claim();
    const dependents: { id: string }[] = [];
    await Promise.all([
      ...leases.map(async (lease) => await client.settle('complete', lease)),
      ...predecessors.map(async ({ id }, index) => {
        const others = predecessors[(index + 7) % 20]?.id ?? id;
        dependents.push(await client.enqueue({ after: [id, others] }));
      }),
      (async () => {
        for (let round = 0; round < 10; round++) await harness.service.promoter.tick();
      })(),
    ]);
    await promote();
    expect(await client.claim()).to.have.length(20);
    expect(dependents).to.have.length(20);
  });

  it('cannot be made to wait for a job in a queue of another client, which they could not read either', async () => {
    const other = await harness.client();
    const foreign = await other.enqueue();
    const attempt = async (after: string) =>
      await client.call('enqueueJob', { queue: client.queue, kind: 'test', after: [after] });
    for (const id of [foreign.id, crypto.randomUUID()]) {
      const { status, body } = await attempt(id);
      expect(status).to.equal(422);
      expect((body as ProblemBody).errors).to.deep.equal([
        { field: 'after.0', code: 'unknown_job', message: 'must be the id of a job' },
      ]);
    }
    const [row] = await harness.sql<{ marked: boolean }>('SELECT has_dependents AS marked FROM jobs WHERE id = $1', [
      foreign.id,
    ]);
    expect(row?.marked).to.equal(false);
    expect((await attempt((await client.enqueue()).id)).status).to.equal(201);
  });
});
