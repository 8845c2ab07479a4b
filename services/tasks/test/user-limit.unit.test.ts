import { expect } from 'chai';
import { Problem } from '@taskwire/errors';
import { createUserLimit } from '../src/app/user-limit.ts';

describe('A rate limit per user', () => {
  let time = 0;
  const limit = (perMinute: number) => createUserLimit({ what: 'shuffle', perMinute, now: () => time });

  /** Returns the number of accepted attempts, and the response to the first rejected attempt. */
  function attempts(of: ReturnType<typeof limit>, userId: string, count: number) {
    for (let made = 0; made < count; made++) {
      try {
        of.take(userId);
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        return { made, code: error.code, wait: Number(error.headers['Retry-After']), detail: error.detail };
      }
    }
    return { made: count };
  }

  it("accepts a minute's allowance as a burst, and then states how long to wait", () => {
    for (const perMinute of [1, 3, 7, 60, 1_200]) {
      const { made, ...refusal } = attempts(limit(perMinute), 'ann', perMinute + 1);
      expect(made).to.equal(perMinute);
      expect(refusal).to.deep.include({ code: 'rate_limited', wait: Math.ceil(60 / perMinute) });
      expect(refusal.detail).to.include(`shuffle ${perMinute} times a minute`);
    }
  });

  it('accepts the next attempt after the stated wait, and no more than the rate in any later minute', () => {
    const six = limit(6);
    const { wait = 0 } = attempts(six, 'ann', 7);
    time += wait * 1000;
    expect(attempts(six, 'ann', 2).made).to.equal(1);
    let made = 0;
    for (let second = 0; second < 60; second++) {
      time += 1000;
      made += attempts(six, 'ann', 1).made;
    }
    expect(made).to.equal(6);
  });

  it('does not count a rejected attempt', () => {
    const two = limit(2);
    attempts(two, 'ann', 2);
    for (let again = 0; again < 100; again++) attempts(two, 'ann', 1);
    time += 30_000;
    expect(attempts(two, 'ann', 1).made).to.equal(1);
  });

  it('counts each user separately', () => {
    const one = limit(1);
    expect(attempts(one, 'ann', 2).made).to.equal(1);
    expect(attempts(one, 'ben', 2).made).to.equal(1);
  });

  it('forgets users who are below the limit again, which bounds its memory', () => {
    const one = limit(60);
    for (let user = 0; user < 20_000; user++) {
      time += 100;
      one.take(`user ${user}`);
      expect(one.size()).to.be.below(1_001);
    }
  });
});
