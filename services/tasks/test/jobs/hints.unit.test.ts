import { expect } from 'chai';
import { sendHints, type QueuedRow } from '../../src/postgres/jobs/hints.ts';

describe('The hints that follow from changed jobs', () => {
  const row = (queue: string, state: string, isKeyed = true): QueuedRow => ({
    ...{ queue, state, rank_at: '2026-11-02T08:00:00.000000Z', concurrency_key: isKeyed ? 'k' : null },
  });

  it('say how many places the jobs with a concurrency key leave empty in each queue', () => {
    const freed: unknown[] = [];
    const ignore = () => undefined;
    const hints = {
      queued: ignore,
      scheduled: ignore,
      expired: ignore,
      freed: (...hint: unknown[]) => freed.push(hint),
    };
    sendHints(hints, [
      row('a', 'succeeded'),
      row('b', 'dead'),
      row('a', 'scheduled'),
      row('a', 'cancelled'),
      row('a', 'succeeded', false),
    ]);
    expect(freed).to.deep.equal([
      ['a', 3],
      ['b', 1],
    ]);
  });
});
