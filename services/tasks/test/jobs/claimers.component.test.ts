import { expect } from 'chai';
import { faultRounds, simulateWork, waitFor } from '@taskwire/testing';
import { jobsHarness, type Claimed, type JobClient, type JobsHarness } from '../support/jobs-harness.ts';

/** The limit of the key, and the number of workers that claim its jobs, half of them from each of two processes. */
const limit = 3;
const claimers = 6;
const rounds = faultRounds({ test: 12, drill: 300 });
const jobsUnderLoad = faultRounds({ test: 60, drill: 3_000 });

type ClaimBody = { limit?: number };

/** An interval on the clock of the database, in microseconds. */
type Interval = { from: number; to: number };

describe(`A limit of ${limit} with ${claimers} claimers, watched from outside`, function () {
  this.timeout(faultRounds({ test: 60_000, drill: 600_000 }));
  let harness: JobsHarness;
  let clients: JobClient[];

  before(async () => (harness = await jobsHarness()));
  before(async () => {
    const urls = [harness.service.http.url(), (await harness.replica({ PROCESS_ROLE: 'api' })).http.url()];
    const queue = 'reports';
    clients = await Promise.all(
      Array.from({ length: claimers }, async (_, place) => await harness.client({ queue, url: urls[place % 2]! })),
    );
    const admin = await harness.join('Ada', 'admin');
    const params = { queue, key: 'report' };
    await harness.call('setJobLimit', { token: admin.token, params, body: { max_running: limit, rate: null } });
  });
  after(async () => await harness.stop());
  beforeEach(async () => await harness.sql('TRUNCATE jobs, job_attempts'));

  async function enqueue(count: number): Promise<void> {
    const [client] = clients as [JobClient];
    const job = { queue: client.queue, kind: 'test', concurrency_key: 'report' };
    for (let left = count; left > 0; left -= 1_000) {
      const jobs = Array.from({ length: Math.min(left, 1_000) }, () => job);
      expect((await client.call('enqueueJobs', { jobs })).status).to.equal(200);
    }
  }

  /** Completes jobs in one request. */
  async function complete(client: JobClient, jobs: readonly Claimed[]): Promise<void> {
    const items = jobs.map(({ lease_token }) => ({ lease_token, complete: {} }));
    const { body } = await client.call('settleJobs', { items });
    const { data } = body as { data: { outcome: string }[] };
    expect(data.map(({ outcome }) => outcome)).to.deep.equal(jobs.map(() => 'settled'));
  }

  const claimAll = async (body: ClaimBody) =>
    (await Promise.all(clients.map(async (client) => await client.claim(body)))).flat();

  /** The jobs that the database leases now. */
  const leased = async () =>
    (await harness.sql<{ id: string }>('SELECT id FROM jobs WHERE fence IS NOT NULL')).map(({ id }) => id);
  const idsOf = (jobs: readonly Claimed[]) => jobs.map(({ id }) => id);

  /** The largest number of attempts that lasted at the same instant. */
  async function mostAtOnce(): Promise<number> {
    const attempts = await harness.sql<{ from: string; to: string }>(
      `SELECT ${micros('leased_at')} AS from, ${micros('ended_at')} AS to FROM job_attempts`,
    );
    return mostRunning(attempts.map(({ from, to }) => ({ from: Number(from), to: Number(to) })));
  }

  /** Sends one claim of each claimer while another connection has locked the key, so that all of them wait for it together. */
  async function claimTogether(body: ClaimBody): Promise<Claimed[]> {
    const other = await harness.database.db.pool.connect();
    let answered = 0;
    const claims: Promise<Claimed[]>[] = [];
    try {
      await other.query('BEGIN');
      await other.query('SELECT FROM job_keys FOR UPDATE');
      for (const client of clients) claims.push(client.claim(body).finally(() => answered++));
      const waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
      await waitFor(async () => answered + (await harness.sql(waiting)).length === claimers, { what: 'all claims' });
    } finally {
      await other.query('ROLLBACK');
      other.release();
    }
    return (await Promise.all(claims)).flat();
  }

  /** Settles jobs and sends claims in a certain order. Returns the jobs of all claims, which are answered then. */
  type Moment = (settle: () => Promise<void>, claim: ClaimBody) => Promise<Claimed[]>;
  const moments: Record<string, Moment> = {
    'after a settlement': async (settle, claim) => {
      await settle();
      return await claimAll(claim);
    },
    'during a settlement and after it': async (settle, claim) => {
      const [early] = await Promise.all([claimAll(claim), settle()]);
      return [...early, ...(await claimAll(claim))];
    },
    'after a settlement, at the same moment,': async (settle, claim) => {
      await settle();
      return await claimTogether(claim);
    },
  };
  for (const [when, answersOf] of Object.entries(moments)) {
    it(`leases ${limit} jobs again when 1 to ${limit} have ended, and the claims sent ${when} are answered`, async () => {
      await enqueue(limit * (rounds + 1));
      const running = await claimAll({});
      for (let round = 0; round < rounds; round++) {
        const ended = running.splice(0, 1 + (round % limit));
        const settle = async () => await complete(clients[round % claimers]!, ended);
        running.push(...(await answersOf(settle, { limit: round % 2 === 0 ? 1 : 100 })));
        expect(running).to.have.length(limit);
        expect(await leased()).to.have.members(idsOf(running));
      }
      expect(await mostAtOnce()).to.equal(limit);
    });
  }

  it(`leases ${limit} jobs again when 1 to ${limit} have ended while all claimers wait`, async () => {
    await enqueue(limit * (rounds + 1));
    const running: Claimed[] = [];
    let isDone = false;
    const working = clients.map(async (client) => {
      while (!isDone) running.push(...(await client.claim({ limit: 1, wait: 1 })));
    });
    try {
      for (let round = 0; round <= rounds; round++) {
        await waitFor(() => running.length >= limit, { what: `${limit} jobs to be leased again in round ${round}` });
        expect(running).to.have.length(limit);
        expect(await leased()).to.have.members(idsOf(running));
        if (round < rounds) await complete(clients[round % claimers]!, running.splice(0, 1 + (round % limit)));
      }
    } finally {
      isDone = true;
      await Promise.all(working);
    }
    expect(running).to.have.length(limit);
    expect(await mostAtOnce()).to.equal(limit);
  });

  it(`leaves a place empty under load only if it was taken at some instant of each claim, and never runs ${limit + 1} jobs`, async () => {
    await enqueue(jobsUnderLoad);
    const done = new Map<string, number>();
    const empty: Interval[] = [];
    const now = async () => {
      const [row] = await harness.sql<{ now: string }>(`SELECT ${micros('clock_timestamp()')} AS now`);
      return Number(row?.now);
    };
    const working = clients.map(async (client, place) => {
      while (done.size < jobsUnderLoad) {
        const from = await now();
        const jobs = await client.claim({ limit: 1 + (place % limit) });
        const to = await now();
        if (jobs.length === 0) empty.push({ from, to });
        else {
          await simulateWork(Math.random() * 10);
          await complete(client, jobs);
          const answeredAt = await now();
          for (const { id } of jobs) done.set(id, answeredAt);
        }
      }
    });
    await Promise.all(working);
    expect(await mostAtOnce()).to.equal(limit);
    const attempts = await harness.sql<{ id: string; from: string }>(
      `SELECT job_id AS id, ${micros('leased_at')} AS from FROM job_attempts`,
    );
    expect(attempts).to.have.length(jobsUnderLoad);
    // a job counts until the response to its settlement, because only the database knows earlier that its place is empty
    const running = attempts.map(({ id, from }) => ({ from: Number(from), to: done.get(id)! }));
    // a job was queued until the last one was leased
    const last = Math.max(...running.map(({ from }) => from));
    const judged = empty.filter(({ to }) => to < last);
    expect(judged, 'claims that were answered without a job').not.to.deep.equal([]);
    const unexplained = judged.filter(
      (claim) =>
        mostRunning(
          running.filter(({ from, to }) => from <= claim.to && to >= claim.from),
          claim,
        ) < limit,
    );
    expect(unexplained).to.deep.equal([]);
  });
});

const micros = (instant: string) => `(extract(epoch FROM ${instant}) * 1000000)::bigint`;

/** The largest number of intervals that have an instant in common; with `within`, an instant of that interval. Each contains its ends. */
function mostRunning(intervals: readonly Interval[], within: Interval = { from: -Infinity, to: Infinity }): number {
  const starts = intervals.map(({ from }) => Math.max(from, within.from));
  return starts.reduce(
    (most, instant) =>
      instant > within.to
        ? most
        : Math.max(most, intervals.filter(({ from, to }) => from <= instant && instant <= to).length),
    0,
  );
}
