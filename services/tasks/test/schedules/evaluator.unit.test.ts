import { expect } from 'chai';
import { Problem } from '@taskwire/errors';
import { createRuleEvaluator } from '../../src/recurrence/evaluator.ts';

const rule = {
  timeZone: 'UTC',
  startsAt: Date.parse('0001-01-01T00:00:00Z'),
  endsAt: null,
  dstGap: 'run_after',
} as const;
const now = Date.parse('2026-01-01T00:00:00Z');
const window = { after: now, until: now + 86_400_000, limit: 2 };

const everyMinute = `BYHOUR=${[...Array(24).keys()].join()};BYMINUTE=${[...Array(60).keys()].join()}`;
/** Counts from the year 1. */
const heavy = `FREQ=DAILY;${everyMinute};BYSETPOS=-1,-3,-5;COUNT=99999`;

describe('The evaluation of rules in a thread', () => {
  const rules = createRuleEvaluator();
  before(async () => await rules.start());
  after(async () => await rules.stop());

  it('refuses a rule that takes too long, and evaluates the next one', async () => {
    const refused: unknown = await rules
      .occurrences({ ...rule, kind: 'rrule', expression: heavy }, window)
      .catch((error: unknown) => error);
    expect(refused).to.be.instanceOf(Problem).and.to.include({ code: 'schedule_too_complex', status: 422 });
    const found = await rules.occurrences({ ...rule, kind: 'every', expression: 'PT1H' }, window);
    expect(found.map(({ at }) => new Date(at).toISOString())).to.deep.equal([
      '2026-01-01T01:00:00.000Z',
      '2026-01-01T02:00:00.000Z',
    ]);
  });

  it('requires the native Temporal', () => {
    const native = Object.getOwnPropertyDescriptor(globalThis, 'Temporal')!;
    Reflect.deleteProperty(globalThis, 'Temporal');
    try {
      expect(() => createRuleEvaluator()).to.throw('no Temporal');
    } finally {
      Object.defineProperty(globalThis, 'Temporal', native);
    }
  });

  it('passes on the problems of a faulty rule unchanged', async () => {
    const refused: unknown = await rules
      .occurrences({ ...rule, kind: 'cron', expression: '61 * * * *' }, window)
      .catch((error: unknown) => error);
    expect(refused).to.be.instanceOf(Problem).and.to.have.nested.property('errors[0].code', 'invalid_cron');
  });
});
