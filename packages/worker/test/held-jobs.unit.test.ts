import { expect } from 'chai';
import { HeldJobs } from '../src/held-jobs.ts';
import type { Lease } from '../src/lease-keeper.ts';
import { Settlements } from '../src/settlements.ts';
import { shortSettings } from './short-times.ts';

/** Held jobs with a clock that shows `now`. Instead of a thread, a list collects the leases to keep. */
function holding(now: number) {
  const settings = shortSettings('http://localhost', { leaseMs: 30_000, marginMs: 5_000 });
  const leases: Lease[] = [];
  const started: string[] = [];
  const clock = { now: () => now, after: () => () => undefined };
  const report = () => undefined;
  const jobs = { settle: () => new Promise<never>(() => undefined) };
  const held = new HeldJobs({
    ...{ settings, clock, report, changed: () => undefined },
    handler: ({ id }: { id: string }) => {
      started.push(id);
      return new Promise(() => undefined);
    },
    heartbeats: { hold: (given) => leases.push(...given), progress: () => undefined, drop: () => undefined },
    settlements: new Settlements({ jobs: jobs as never, clock, times: settings.times, report }),
  });
  const job = (lease_ms: number) => {
    const rest = {
      queue: 'reports',
      kind: 'report',
      payload: {},
      attempt: 1,
      fence: 1,
      lease_expires_at: '',
      deadline: null,
    };
    return { id: 'a', lease_token: 'a.1', lease_ms, ...rest };
  };
  return { held, leases, started, job };
}

describe('A claimed job', () => {
  it('has a lease that counts from when its claim was sent', () => {
    const { held, leases, started, job } = holding(110_000);
    held.accept([job(30_000)], 100_000);
    expect(leases).to.deep.equal([{ token: 'a.1', endsAt: 130_000, runUntil: 170_000 }]);
    expect(started).to.deep.equal(['a']);
    expect(held.free).to.equal(0);
  });

  it('starts after its first heartbeat if a repeated claim brought a lease that is nearly over', () => {
    const { held, leases, started, job } = holding(101_000);
    held.accept([job(4_000)], 100_000);
    expect(leases[0]?.endsAt).to.equal(104_000);
    expect(started).to.deep.equal([]);
    held.notice({ kind: 'extended', token: 'a.1' });
    expect(started).to.deep.equal(['a']);
  });

  it('never starts if its lease is lost first', () => {
    const { held, started, job } = holding(101_000);
    held.accept([job(4_000)], 100_000);
    held.notice({ kind: 'abort', token: 'a.1', reason: 'lease_lost' });
    held.notice({ kind: 'extended', token: 'a.1' });
    expect(started).to.deep.equal([]);
    expect(held.free).to.equal(1);
  });
});
