import { ProblemError } from '@taskwire/client';
import { expect } from 'chai';
import { LeaseKeeper, type Notice } from '../src/lease-keeper.ts';

const times = { leaseMs: 30_000, heartbeatMs: 10_000, marginMs: 5_000, progressMs: 2_000, heartbeatPauseMs: 1_000 };

type Beats = { lease_token: string; progress?: unknown }[];

/** A keeper with a clock that a test moves, and requests that a test answers. */
function keeping() {
  let now = 0;
  const timers = new Set<{ at: number; run: () => void }>();
  const sent: { at: number; beats: Beats; answer: (data: object[]) => void; fail: (error: Error) => void }[] = [];
  const notices: (Notice & { at: number })[] = [];
  const keeper = new LeaseKeeper({
    send: (beats) =>
      new Promise((answer: (data: never[]) => void, fail) =>
        sent.push({ at: now, beats, answer: answer as never, fail }),
      ),
    notify: (notice) => notices.push({ ...notice, at: now }),
    clock: {
      now: () => now,
      after(ms, run) {
        const timer = { at: now + ms, run };
        timers.add(timer);
        return () => void timers.delete(timer);
      },
    },
    times,
  });
  /** Moves the clock, and runs the timers on the way. */
  async function until(at: number): Promise<void> {
    for (;;) {
      await new Promise(setImmediate);
      const [next] = [...timers].filter((timer) => timer.at <= at).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      timers.delete(next);
      now = Math.max(now, next.at);
      next.run();
    }
    now = at;
  }
  const hold = (token: string, { endsAt = now + 30_000, runUntil = 3_600_000 } = {}) =>
    keeper.hold([{ token, endsAt, runUntil }]);
  const aborts = () =>
    notices.flatMap((notice) => (notice.kind === 'abort' ? [{ reason: notice.reason, at: notice.at }] : []));
  return { keeper, hold, until, sent, notices, aborts };
}

const extended = (lease_token: string, more: object = {}) => ({
  lease_token,
  outcome: 'extended',
  lease_ms: 30_000,
  ...more,
});

describe('The keeper of leases', () => {
  it('extends all leases in one request, a third of the lease after they were taken', async () => {
    const { hold, until, sent } = keeping();
    hold('a');
    await until(4_000);
    hold('b');
    await until(9_999);
    expect(sent).to.have.lengthOf(0);
    await until(10_000);
    expect(sent.map(({ beats }) => beats)).to.deep.equal([[{ lease_token: 'a' }, { lease_token: 'b' }]]);
    sent[0]!.answer([extended('a'), extended('b')]);
    await until(19_999);
    expect(sent).to.have.lengthOf(1);
    await until(20_000);
    expect(sent).to.have.lengthOf(2);
  });

  it('counts a lease from the sending of the request, not from the response', async () => {
    const { hold, until, sent, aborts } = keeping();
    hold('a');
    await until(10_000);
    await until(13_000);
    sent[0]!.answer([extended('a')]);
    // sent again at 20 s, without a response: the lease ends 30 s after 10 s, and its signal is aborted a sixth of a lease before
    await until(34_999);
    expect(aborts()).to.deep.equal([]);
    await until(35_000);
    expect(aborts()).to.deep.equal([{ reason: 'unconfirmed', at: 35_000 }]);
  });

  it('extends a lease at once if its claim waited for more than a third of it', async () => {
    const { hold, until, sent, notices } = keeping();
    hold('a', { endsAt: 19_000 });
    await until(0);
    expect(sent).to.have.lengthOf(1);
    sent[0]!.answer([extended('a')]);
    await until(1);
    expect(notices).to.deep.equal([{ kind: 'extended', token: 'a', at: 0 }]);
  });

  it('aborts a sixth of a lease before it ends without a confirmation, and says when it is over', async () => {
    const { hold, until, sent, aborts, notices } = keeping();
    hold('a');
    await until(10_000);
    for (let at = 10_000; at <= 29_000; at += 1_000) {
      await until(at);
      sent.at(-1)!.fail(new Error('no connection'));
    }
    await until(40_000);
    expect(sent.length, 'tries again every second').to.be.above(10);
    expect(aborts()).to.deep.equal([{ reason: 'unconfirmed', at: 25_000 }]);
    expect(notices.at(-1)).to.deep.equal({ kind: 'ended', token: 'a', at: 30_000 });
  });

  it('delays a repetition for as long as the service asks, but at most for a third of the lease', async () => {
    const { hold, until, sent } = keeping();
    hold('a');
    await until(10_000);
    const facts = { operationId: 'heartbeatJobs', attempts: 1, outcome: 'unknown' as const };
    sent[0]!.fail(
      new ProblemError({ status: 503, code: 'unavailable', title: '', detail: '', retryAfterMs: 60_000 }, facts),
    );
    await until(19_999);
    expect(sent).to.have.lengthOf(1);
    await until(20_000);
    expect(sent).to.have.lengthOf(2);
  });

  it('no longer extends the lease of a handler that hangs', async () => {
    const { hold, until, sent, aborts, notices } = keeping();
    hold('a', { runUntil: 12_000 });
    hold('b');
    await until(10_000);
    sent[0]!.answer([extended('a'), extended('b')]);
    await until(20_000);
    expect(aborts()).to.deep.equal([{ reason: 'run_timeout', at: 12_000 }]);
    expect(sent[1]?.beats).to.deep.equal([{ lease_token: 'b' }]);
    sent[1]!.answer([extended('b')]);
    await until(40_000);
    expect(notices.filter(({ kind }) => kind === 'ended')).to.deep.equal([{ kind: 'ended', token: 'a', at: 40_000 }]);
  });

  it('reports a lost lease and a request to cancel, each once', async () => {
    const { hold, until, sent, aborts } = keeping();
    hold('a');
    hold('b');
    await until(10_000);
    sent[0]!.answer([{ lease_token: 'a', outcome: 'lease_lost' }, extended('b', { cancel_requested: true })]);
    await until(20_000);
    expect(sent[1]?.beats).to.deep.equal([{ lease_token: 'b' }]);
    sent[1]!.answer([extended('b', { cancel_requested: true })]);
    await until(29_000);
    expect(aborts().map(({ reason }) => reason)).to.deep.equal(['lease_lost', 'cancel_requested']);
  });

  it('ignores responses about leases that were dropped', async () => {
    const { keeper, hold, until, sent, notices } = keeping();
    hold('a');
    await until(10_000);
    keeper.drop('a');
    sent[0]!.answer([{ lease_token: 'a', outcome: 'lease_lost' }]);
    await until(60_000);
    expect(notices).to.deep.equal([]);
    expect(sent).to.have.lengthOf(1);
  });

  it('sends only the latest progress, and no more often than every two seconds', async () => {
    const { keeper, hold, until, sent } = keeping();
    hold('a');
    for (const done of [1, 2]) keeper.progress('a', JSON.stringify({ done }));
    await until(100);
    sent[0]!.answer([extended('a')]);
    for (const done of [3, 4]) keeper.progress('a', JSON.stringify({ done }));
    await until(1_999);
    expect(sent).to.have.lengthOf(1);
    await until(2_000);
    expect(sent.map(({ beats }) => beats[0]?.progress)).to.deep.equal([{ done: 1 }, { done: 4 }]);
  });

  it('keeps progress of a lost request, unless there is later progress', async () => {
    const { keeper, hold, until, sent } = keeping();
    hold('a');
    hold('b');
    keeper.progress('a', '1');
    await until(1);
    keeper.progress('b', '2');
    sent[0]!.fail(new Error('lost'));
    keeper.progress('a', '3');
    await until(3_000);
    expect(sent[1]?.beats).to.deep.equal([
      { lease_token: 'a', progress: 3 },
      { lease_token: 'b', progress: 2 },
    ]);
  });

  it('omits refused progress rather than lose leases', async () => {
    const { keeper, hold, until, sent } = keeping();
    hold('a');
    keeper.progress('a', '1');
    await until(1);
    const facts = { operationId: 'heartbeatJobs', attempts: 1, outcome: 'not_applied' as const };
    sent[0]!.fail(new ProblemError({ status: 422, code: 'invalid_input', title: '', detail: '' }, facts));
    await until(10_000);
    expect(sent[1]?.beats).to.deep.equal([{ lease_token: 'a' }]);
  });

  it('divides progress of more than three megabytes among requests', async () => {
    const { keeper, hold, until, sent } = keeping();
    const json = JSON.stringify('x'.repeat(60_000));
    for (let i = 0; i < 30; i++) {
      hold(`${i}`);
      keeper.progress(`${i}`, json);
    }
    await until(1);
    sent[0]!.answer(sent[0]!.beats.map(({ lease_token }) => extended(lease_token)));
    await until(2_001);
    const counts = sent.map(({ beats }) => beats.filter(({ progress }) => progress !== undefined).length);
    expect(sent[1]?.beats).to.have.lengthOf(30);
    expect(counts[0]).to.equal(1);
    expect(counts[1]).to.equal(17);
  });
});
