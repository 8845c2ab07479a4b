import { expect } from 'chai';
import fc from 'fast-check';
import { dead, done, retry, unavailable, type Outcome } from '@taskwire/inbox';
import { decide, type Attempts } from '../src/decide.ts';
import { inboxLimits } from '../src/limits.ts';

const limits = { maxAttempts: 3, maxUnavailableMs: 60_000, backOff: { baseMs: 1_000, capMs: 8_000 } };
/** The bound of each back-off, without its random share. */
const longest = (failures: number, { baseMs, capMs }: { baseMs: number; capMs: number }): number =>
  Math.min(capMs, baseMs * 2 ** (failures - 1));

const first: Attempts = { counted: 1, free: 0, pendingForMs: 0 };
const last: Attempts = { counted: 3, free: 0, pendingForMs: 0 };

describe('decision after an attempt', () => {
  const effect = async (): Promise<void> => undefined;
  const table: [situation: string, outcome: Outcome, attempts: Attempts, decision: object][] = [
    ['completes a handled message', done(effect), first, { kind: 'complete', effect }],
    ['completes a message at its last attempt', done(), last, { kind: 'complete', effect: undefined }],
    ['retries a failure', retry('no'), first, { kind: 'retry', waitMs: 1_000, isFree: false, error: 'no' }],
    [
      'backs off further with each attempt, free ones included',
      retry('no'),
      { ...first, free: 2 },
      { kind: 'retry', waitMs: 4_000, isFree: false, error: 'no' },
    ],
    [
      'caps the back-off',
      unavailable('no'),
      { ...first, free: 500 },
      { kind: 'retry', waitMs: 8_000, isFree: true, error: 'no' },
    ],
    [
      'waits as long as the handler requests',
      retry('no', 20_000),
      first,
      { kind: 'retry', waitMs: 20_000, isFree: false, error: 'no' },
    ],
    [
      'waits for the back-off if the handler requests less',
      retry('no', 10),
      first,
      { kind: 'retry', waitMs: 1_000, isFree: false, error: 'no' },
    ],
    [
      'dead-letters a message after its last attempt',
      retry('no'),
      last,
      { kind: 'dead_letter', reason: 'attempts_exhausted', error: 'no' },
    ],
    [
      'retries an unavailable dependency although the attempts are used up',
      unavailable('no'),
      last,
      { kind: 'retry', waitMs: 4_000, isFree: true, error: 'no' },
    ],
    [
      'dead-letters a message whose dependency is unavailable for too long',
      unavailable('no'),
      { ...first, pendingForMs: 60_000 },
      { kind: 'dead_letter', reason: 'unavailable', error: 'no' },
    ],
    [
      'retries a failure however old the message is',
      retry('no'),
      { ...first, pendingForMs: 60_000 },
      { kind: 'retry', waitMs: 1_000, isFree: false, error: 'no' },
    ],
    [
      'dead-letters a refused message at its first attempt',
      dead('never'),
      first,
      { kind: 'dead_letter', reason: 'refused', error: 'never' },
    ],
  ];
  for (const [situation, outcome, attempts, decision] of table) {
    it(situation, () => {
      expect(decide(outcome, attempts, limits, longest)).to.deep.equal(decision);
    });
  }

  const failures = fc.array(fc.constantFrom(retry('failed'), unavailable('unavailable')), { maxLength: 60 });

  it('uses up an attempt with each failure, and with no outage of a dependency', () => {
    fc.assert(
      fc.property(failures, (outcomes) => {
        const attempts = { counted: 0, free: 0, pendingForMs: 0 };
        const counted = outcomes.filter((outcome) => !('isFree' in outcome)).length;
        const diedAt = outcomes.findIndex((outcome) => {
          // the claim counts the attempt, and releasing it as a free attempt subtracts it again
          attempts.counted += 1;
          const decision = decide(outcome, attempts, inboxLimits);
          if (decision.kind === 'dead_letter') return true;
          if (decision.kind === 'retry' && decision.isFree) {
            attempts.counted -= 1;
            attempts.free += 1;
          }
          return false;
        });
        expect(diedAt === -1).to.equal(counted < inboxLimits.maxAttempts);
        if (diedAt !== -1) expect(attempts.counted).to.equal(inboxLimits.maxAttempts);
      }),
    );
  });

  it('never waits longer than the cap or the requested delay, whichever is longer', () => {
    const natural = fc.nat({ max: 1_000_000_000 });
    fc.assert(
      fc.property(natural, natural, fc.option(natural, { nil: undefined }), (counted, free, afterMs) => {
        const decision = decide(
          unavailable('no', afterMs),
          { counted: counted + 1, free, pendingForMs: 0 },
          inboxLimits,
        );
        if (decision.kind !== 'retry') return expect.fail('an outage is retried');
        const asked = Math.min(afterMs ?? 0, 600_000);
        expect(decision.waitMs).to.be.within(asked, Math.max(asked, inboxLimits.backOff.capMs));
      }),
    );
  });
});
