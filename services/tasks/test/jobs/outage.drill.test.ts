import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { programEnv, simulateWork, waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import { call, type Call } from '../support/api.ts';
import { freePort } from '../support/free-port.ts';
import { jobsHarness, type Claimed, type JobsHarness } from '../support/jobs-harness.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const queue = 'renders';
const count = 1_000;
/** Longer than a lease of 30 s, which is kept for at most another period. */
const outageMs = 45_000;

describe('Leases while `api` alone is paused', function () {
  this.timeout(240_000);
  let harness: JobsHarness;
  let api: ChildProcess;
  let url: string;
  let token: string;

  before(async () => {
    // the reaper continues to run in this process
    harness = await jobsHarness({ PROCESS_ROLE: 'worker' });
    token = await harness.auth.workerToken({ clientId: 'worker', scope: 'jobs:work jobs:enqueue', queues: [queue] });
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    const env = { ...programEnv(), ...harness.environment({ PROCESS_ROLE: 'api', PORT: String(port) }) };
    api = spawn(process.execPath, [main], { stdio: 'ignore', env });
    await waitFor(async () => (await fetch(`${url}/ready`)).ok, { timeoutMs: 60_000 });
  });
  after(async () => {
    const ended = once(api, 'exit');
    api.kill('SIGKILL');
    await ended;
    await harness.stop();
  });

  async function ask<T>(operation: Parameters<typeof call>[1], body: unknown): Promise<T> {
    const given: Call = { token, body };
    let answer = await call(url, operation, given);
    for (let time = 0; answer.status === 503 && time < 10; time++) answer = await call(url, operation, given);
    expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
    return answer.body as T;
  }

  it(`are given to no other worker, ${count} of them in ${outageMs / 1_000} s`, async () => {
    await ask('enqueueJobs', { jobs: Array.from({ length: count }, () => ({ queue, kind: 'test' })) });
    const leases: Claimed[] = [];
    while (leases.length < count) {
      const claim = { claim_id: crypto.randomUUID(), queues: [queue], limit: 100, lease_seconds: 30, worker: 'w1' };
      leases.push(...(await ask<{ data: Claimed[] }>('claimJobs', claim)).data);
    }
    const beat = async () => {
      const body = { leases: leases.map(({ lease_token }) => ({ lease_token })) };
      return (await ask<{ data: { outcome: string }[] }>('heartbeatJobs', body)).data;
    };
    await beat();
    api.kill('SIGSTOP');
    await simulateWork(outageMs);
    const [held] = await harness.sql<{ held: number }>(
      'SELECT count(*)::integer AS held FROM jobs WHERE fence IS NOT NULL',
    );
    expect(held).to.deep.equal({ held: count });
    api.kill('SIGCONT');
    // the worker is back, and sends heartbeats for longer than a lease
    for (let time = 0; time < 7; time++) {
      expect(new Set((await beat()).map(({ outcome }) => outcome))).to.deep.equal(new Set(['extended']));
      await simulateWork(5_000);
    }
    for (let from = 0; from < count; from += 100) {
      const items = leases.slice(from, from + 100).map(({ lease_token }) => ({ lease_token, complete: {} }));
      const { data } = await ask<{ data: { outcome: string }[] }>('settleJobs', { items });
      expect(new Set(data.map(({ outcome }) => outcome))).to.deep.equal(new Set(['settled']));
    }
    const outcomes = await harness.sql('SELECT outcome, count(*)::integer AS count FROM job_attempts GROUP BY outcome');
    expect(outcomes).to.deep.equal([{ outcome: 'completed', count }]);
  });
});
