import { expect } from 'chai';
import { createDatabaseClock } from '../src/database-clock.ts';

const epoch = 1_800_000_000_000_000;

describe('the clock of the database', () => {
  it('continues with the monotonic clock, to the microsecond', () => {
    let ms = 500;
    const clock = createDatabaseClock(() => ms);
    clock.note(epoch);
    ms += 1_234.567;
    expect(clock.now()).to.equal(epoch + 1_234_567);
  });

  it('is never ahead, and takes the response with the shortest delay', () => {
    let ms = 0;
    const clock = createDatabaseClock(() => ms);
    for (const delay of [300, 2, 40]) {
      const sent = ms;
      ms += delay;
      clock.note(epoch + sent * 1_000);
    }
    expect(clock.now()).to.equal(epoch + (ms - 2) * 1_000);
  });

  it('follows a clock that was set back, or that runs slower, within 10 s', () => {
    let ms = 0;
    const clock = createDatabaseClock(() => ms);
    clock.note(epoch);
    const setBack = 60_000_000;
    for (const end = 10_000; ms < end;) {
      ms += 1_000;
      clock.note(epoch + ms * 1_000 - setBack);
    }
    expect(clock.now()).to.equal(epoch + ms * 1_000 - setBack);
  });

  it('forgets offsets from before a long pause', () => {
    let ms = 0;
    const clock = createDatabaseClock(() => ms);
    clock.note(epoch);
    ms += 3_600_000;
    clock.note(epoch + 3_599_000_000);
    expect(clock.now()).to.equal(epoch + 3_599_000_000);
  });
});
