import { expect } from 'chai';
import { jitterOf, runIdOf } from '../../src/app/schedules/occurrence-id.ts';
import { decide } from '../../src/domain/schedules/decide.ts';
import type { CatchUp } from '../../src/domain/schedules/schedule.ts';

const minute = 60_000;
const now = Date.parse('2026-11-29T12:00:30Z');

/** Counts the verdicts on a schedule that began this many minutes ago and has one occurrence a minute. */
function verdicts(
  catchUp: CatchUp,
  minutes: number,
  more: { paused?: boolean; complete?: boolean; jitterMs?: number } = {},
) {
  const { paused = false, complete = true, jitterMs = 0 } = more;
  const due = Array.from({ length: minutes }, (_, index) => ({
    at: now - 30_000 - (minutes - 1 - index) * minute,
    skipped: null,
  }));
  const counts: Record<string, number> = {};
  for (const { verdict } of decide(due, { catchUp, paused, now, complete, jitterMs }))
    counts[verdict] = (counts[verdict] ?? 0) + 1;
  return counts;
}

describe('Occurrences that are due together', () => {
  it('run only if they are on time with skip, and the latest only with latest', () => {
    expect(verdicts('skip', 5)).to.deep.equal({ run: 1, missed: 4 });
    expect(verdicts('skip', 5, { jitterMs: 2 * minute })).to.deep.equal({ run: 3, missed: 2 });
    expect(verdicts('latest', 5)).to.deep.equal({ run: 1, missed: 4 });
    expect(verdicts('latest', 1)).to.deep.equal({ run: 1 });
  });

  it('all run with all, if they are of the last day, and at most the latest 1,000', () => {
    expect(verdicts('all', 1_000)).to.deep.equal({ run: 1_000 });
    expect(verdicts('all', 1_200)).to.deep.equal({ run: 1_000, capped: 200 });
    expect(verdicts('all', 1_500)).to.deep.equal({ run: 1_000, capped: 440, missed: 60 });
  });

  it('are decided only where later ones, which are not known yet, cannot affect them', () => {
    expect(verdicts('latest', 5, { complete: false })).to.deep.equal({ missed: 5 });
    expect(verdicts('all', 1_500, { complete: false })).to.deep.equal({ missed: 60 });
  });

  it('are all skipped in a pause, and those in a gap keep that reason', () => {
    expect(verdicts('all', 3, { paused: true })).to.deep.equal({ paused: 3 });
    const gap = decide([{ at: now, skipped: 'dst_gap' }], {
      catchUp: 'latest',
      paused: false,
      now,
      complete: true,
      jitterMs: 0,
    });
    expect(gap).to.deep.equal([{ at: now, verdict: 'dst_gap' }]);
  });

  it('have ids and delays determined by schedule and instant', () => {
    const schedule = '019a9d5e-71aa-7b3c-8d4e-5f6a7b8c9d0e';
    expect(runIdOf('task', schedule, now))
      .to.equal(runIdOf('task', schedule, now))
      .and.to.match(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
    expect(runIdOf('task', schedule, now)).not.to.equal(runIdOf('task', schedule, now + minute));
    expect(jitterOf(schedule, now, 30))
      .to.equal(jitterOf(schedule, now, 30))
      .and.to.be.within(0, 29_999);
  });
});
