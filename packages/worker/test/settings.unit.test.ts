import { expect } from 'chai';
import { endingOfError, failure } from '../src/endings.ts';
import { settingsOf } from '../src/settings.ts';

describe('The times of a worker', () => {
  const timesOf = (leaseSeconds?: number) =>
    settingsOf({
      ...{ url: 'http://localhost', auth: () => '', queues: ['reports'] },
      ...(leaseSeconds === undefined ? {} : { leaseSeconds }),
    }).times;

  it('are parts of the lease: a third for heartbeats and waits, a sixth before its end for the abort', () => {
    expect(timesOf()).to.include({ leaseMs: 30_000, heartbeatMs: 10_000, waitMs: 10_000, marginMs: 5_000 });
    expect(timesOf()).to.include({ maxRunMs: 3_600_000, graceMs: 20_000 });
    expect(timesOf(3_600)).to.include({ heartbeatMs: 1_200_000, marginMs: 600_000, waitMs: 20_000, requestMs: 10_000 });
  });

  it('leave at least two seconds before the end of a lease, and time for two heartbeats that hang before that', () => {
    for (const leaseSeconds of [15, 16, 30, 60, 600, 3_600]) {
      const { leaseMs, heartbeatMs, marginMs, requestMs, heartbeatPauseMs, waitMs } = timesOf(leaseSeconds);
      expect(marginMs).to.be.at.least(2_000);
      // rounded, because some are thirds
      expect(Math.round(heartbeatMs + 2 * (requestMs + heartbeatPauseMs))).to.be.at.most(
        Math.round(leaseMs - marginMs),
      );
      expect(leaseMs - waitMs, 'the remaining lease of a job that arrives at the end of the wait').to.be.above(
        leaseMs / 2,
      );
    }
  });

  it('stop within the thirty seconds that Kubernetes gives a container', () => {
    const { graceMs, abortMs, flushMs } = timesOf();
    expect(graceMs + abortMs + flushMs).to.be.below(30_000);
  });
});

describe('The ending of a job', () => {
  it('costs no attempt if the worker was the cause', () => {
    for (const reason of ['stopping', 'unconfirmed'] as const)
      expect(endingOfError(new Error('aborted'), reason)).to.deep.equal({ release: true });
    const timedOut = endingOfError(new Error('aborted'), 'run_timeout');
    expect(timedOut).to.have.nested.include({ 'fail.code': 'run_timeout', 'fail.final': false });
  });

  it('has a code and a message that the API accepts, whatever was thrown', () => {
    const { fail } = failure({
      code: `a\n${'c'.repeat(200)}`,
      message: `\u0000line\n${'é'.repeat(3_000)}`,
      retryAfter: 1e9,
    }) as {
      fail: { code: string; message: string; retry_after: number };
    };
    expect(fail.code)
      .to.have.lengthOf(100)
      .and.match(/^a c+$/);
    expect(fail.message)
      .to.have.lengthOf(2_000)
      .and.match(/^ line\né+$/);
    expect(fail.retry_after).to.equal(86_400);
    expect(failure({ code: '', message: 'm', retryAfter: NaN })).to.deep.equal({
      fail: { code: 'handler_error', message: 'm', final: false },
    });
  });
});
