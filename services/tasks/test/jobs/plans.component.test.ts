import { expect } from 'chai';
import { largeTableScans, recordStatements, waitFor, type StatementLog } from '@taskwire/testing';
import { reaping } from '../../src/postgres/jobs/reap.ts';
import { jobStatements } from '../../src/postgres/jobs/statements.ts';
import { jobsHarness, type JobClient, type JobsHarness } from '../support/jobs-harness.ts';

describe('The plans of the statements on jobs', () => {
  let harness: JobsHarness;
  let client: JobClient;
  before(async () => {
    harness = await jobsHarness();
    client = await harness.client();
    await harness.sql(fillJobs, [client.queue]);
    await harness.sql(fillAttempts);
    await harness.sql('VACUUM ANALYZE');
  });
  after(async () => await harness.stop());

  async function useEverything(log: StatementLog): Promise<void> {
    const admin = await harness.join('Ada', 'admin');
    const first = await client.enqueue();
    for (const _ of [1, 2]) await client.enqueue({ unique: { key: 'once', until: 'settled' }, after: [first.id] });
    const claim = { claim_id: crypto.randomUUID(), limit: 10, wait: 0.1 };
    const [one, two] = await client.claim(claim);
    await client.claim(claim);
    await client.beat(one!, two!);
    for (const _ of [1, 2]) await client.settle('complete', one!);
    // a lost lease is looked for again
    await client.beat(one!);
    await client.read(first.id);
    await harness.service.jobs.readMarks([first.id]);
    const keyed = await harness.client();
    await keyed.enqueue({ concurrency_key: 'a' });
    await keyed.claim();
    for (const query of [{}, { state: 'dead' }]) await harness.call('listJobs', { token: admin.token, query });
    const waiting = harness.service.jobs.countClaimable([client.queue], 10);
    await harness.service.jobs.floors.scan([client.queue]);
    await waiting;
    await harness.service.promoter.tick();
    await harness.sql('UPDATE job_reaper SET ticked_at = clock_timestamp(), is_outage = true');
    await harness.sql('UPDATE job_contact SET heard_at = clock_timestamp()');
    await harness.service.reaper.tick();
    // the leases become older than the floor of this reaper
    let clock = 0;
    const ignore = () => undefined;
    const hints = { queued: ignore, scheduled: ignore, freed: ignore, expired: ignore };
    const reap = reaping(harness.service.db, hints, () => clock);
    for (; clock < 40_000; clock += 11_000) await reap();
    await waitFor(async () => {
      await client.beat(two!);
      return log.statements().some(({ name }) => name === 'jobs.note_heard');
    });
    const operate = { filter: { queue: client.queue }, reason: 'a test', limit: 5 };
    for (const operation of ['replayJobs', 'dropJobs'] as const) {
      await harness.call(operation, { token: admin.token, body: operate });
    }
    await harness.call('cancelJob', { token: admin.token, params: { id: first.id } });
  }

  it('scan no large table sequentially, and match statements.sql', async () => {
    const log = recordStatements(harness.service.db.pool);
    await useEverything(log);
    const ran = log.statements();
    expect(await largeTableScans(harness.database.db.pool, ran)).to.deep.equal([]);
    const prepared = ran.filter(({ name }) => name?.startsWith('jobs.')).map(({ name, text }) => ({ name, text }));
    expect(prepared.map(({ name }) => name)).to.have.members(jobStatements.map(({ name }) => name));
    expect(prepared).to.have.deep.members(jobStatements);
  });
});

/** 10,000 jobs, most of them settled, as in a table that has been in use for days. */
const fillJobs = `
  INSERT INTO jobs (queue, kind, payload, payload_bytes, state, priority, run_at, rank_at, max_attempts, fence, lease_ms, lease_expires_at,
    leased_at, settled_at, deadline, unique_key, holds_key, created_by)
  SELECT CASE WHEN n % 2 = 0 THEN $1 ELSE 'queue ' || n % 50 END, 'test', '{}', 2, state, 0, now(), now(), 20,
    CASE WHEN state = 'leased' THEN nextval('job_fences') END, 30000, now() + interval '1 hour', now(),
    CASE WHEN state IN ('succeeded', 'dead', 'cancelled') THEN now() END, CASE WHEN n % 10 = 0 THEN now() + interval '1 day' END,
    CASE WHEN n % 5 = 0 THEN n::text END, n % 5 = 0 AND state = 'queued', 'test'
  FROM generate_series(1, 10000) AS n, LATERAL (SELECT (ARRAY['queued', 'scheduled', 'leased', 'dead', 'cancelled'])[1 + n % 100]) AS s (one),
    LATERAL (SELECT coalesce(one, 'succeeded') AS state) AS chosen`;

const fillAttempts = `
  INSERT INTO job_attempts (fence, job_id, attempt, outcome, answer, leased_at, ended_at)
  SELECT 1000000 + row_number() OVER (), id, 1, 'completed', '{}', now(), now() FROM jobs WHERE state = 'succeeded'`;
