import { expect } from 'chai';
import { jobsHarness, type Claimed, type JobClient, type JobsHarness } from '../support/jobs-harness.ts';

describe('Heartbeats of many workers', () => {
  let harness: JobsHarness;
  let client: JobClient;

  before(async () => (harness = await jobsHarness()));
  after(async () => await harness.stop());
  beforeEach(async () => (client = await harness.client()));

  async function leased(): Promise<Claimed> {
    await client.enqueue();
    const [job] = await client.claim();
    return job ?? expect.fail('nothing was leased');
  }

  it('share a statement, in which each client reaches its own queues only', async () => {
    const held = [await leased(), await leased(), await leased(), await leased()];
    const stranger = await harness.client();
    await harness.sql('CREATE TABLE updates (at timestamptz)');
    await harness.sql(`CREATE FUNCTION count_update() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN INSERT INTO updates VALUES (now()); RETURN NULL; END $$`);
    await harness.sql('CREATE TRIGGER counted AFTER UPDATE ON jobs FOR EACH STATEMENT EXECUTE FUNCTION count_update()');
    const answers = await Promise.all([...held.map(async (job) => await client.beat(job)), stranger.beat(held[0]!)]);
    await harness.sql('DROP FUNCTION count_update CASCADE');
    expect(answers.flat().map(({ outcome }) => outcome)).to.deep.equal([...held.map(() => 'extended'), 'lease_lost']);
    // one for the client, and two for the stranger: the second one waits for locked jobs
    const [updates] = await harness.sql<{ count: number }>('SELECT count(*)::integer AS count FROM updates');
    expect(updates?.count).to.be.at.most(3);
  });

  it('keep the latest progress of a lease that is extended twice at once', async () => {
    const job = await leased();
    const beat = async (progress?: object) =>
      await client.call('heartbeatJobs', { leases: [{ lease_token: job.lease_token, progress }] });
    // the second request has arrived before the third is sent, but both are extended together
    const answers = [beat({ done: 1 })];
    for (const progress of [{ done: 2 }, undefined]) {
      await harness.sql('SELECT 1');
      answers.push(beat(progress));
    }
    expect((await Promise.all(answers)).map(({ status }) => status)).to.deep.equal([200, 200, 200]);
    expect((await client.read(job.id)).progress).to.deep.equal({ done: 2 });
  });

  it('are not delayed by a job that is locked, whose own heartbeat waits', async () => {
    const [locked, free] = [await leased(), await leased()];
    const holder = await harness.database.db.pool.connect();
    try {
      await holder.query('BEGIN');
      await holder.query('SELECT FROM jobs WHERE id = $1 FOR UPDATE', [locked.id]);
      let isAnswered = false;
      const waiting = client.beat(locked).finally(() => (isAnswered = true));
      expect((await client.beat(free))[0]?.outcome).to.equal('extended');
      expect(isAnswered).to.equal(false);
      await holder.query('COMMIT');
      expect((await waiting)[0]?.outcome).to.equal('extended');
    } finally {
      holder.release();
    }
  });
});
