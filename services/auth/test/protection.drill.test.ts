import { expect } from 'chai';
import { createTelemetry } from '@taskwire/telemetry';
import { silent } from '@taskwire/testing';
import { owaspCost } from '../src/passwords/argon2id.ts';
import { createPasswords } from '../src/passwords/passwords.ts';
import { authHarness, type AuthHarness } from './support/auth-harness.ts';

describe('Auth under a flood of log-ins at the real cost of a hash', () => {
  let harness: AuthHarness;
  before(async () => {
    harness = await authHarness();
  });
  after(async () => {
    await harness.stop();
  });

  it('keeps serving other requests, and processes the configured number of log-ins', async () => {
    const telemetry = createTelemetry({ service: 'auth', stream: silent() });
    const real = createPasswords({ cost: owaspCost, concurrency: 2, queue: 200, metrics: telemetry.metrics });
    const flooded = await harness.replica({ LOGIN_FAILURES_PER_IP: '1000' }, { passwords: real });
    const gauge = telemetry.metrics.getSingleMetric('password_hashes');
    let mostAtOnce = 0;
    let waited = 0;
    let isOver = false;
    const flood = Promise.all(
      Array.from({ length: 60 }, async (_, count) => {
        return await flooded.api.call('login', {
          body: { email: `storm-${count}@example.org`, password: 'a wrong password' },
          headers: { 'x-forwarded-for': '198.51.100.1' },
        });
      }),
    ).finally(() => (isOver = true));
    const times: number[] = [];
    await flooded.api.raw('/oidc/jwks');
    while (!isOver) {
      const start = performance.now();
      await flooded.api.raw('/oidc/jwks');
      times.push(performance.now() - start);
      const values = (await gauge?.get())?.values ?? [];
      mostAtOnce = Math.max(mostAtOnce, values.find(({ labels }) => labels['state'] === 'running')?.value ?? 0);
      waited = Math.max(waited, values.find(({ labels }) => labels['state'] === 'waiting')?.value ?? 0);
    }
    expect((await flood).every(({ status }) => status === 401)).to.equal(true);
    // 19 MiB each
    expect(mostAtOnce).to.equal(2);
    expect(waited).to.be.above(10);
    times.sort((one, other) => one - other);
    // if requests had to wait for the hashes, this one would wait for all sixty
    expect(times[Math.floor(times.length / 2)]).to.be.below(300);
  });
});
