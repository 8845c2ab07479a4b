import { expect } from 'chai';
import { expressionOf, instantsOf, ruleOf } from '../../workload/jobs/rules.ts';

const from = Date.parse('2026-11-20T10:00:17Z');
const until = from + 3 * 60_000;
const numbers = Array.from({ length: 18 }, (_, index) => index + 1);
const iso = (instants: readonly number[]) => instants.map((at) => new Date(at).toISOString().slice(11, 19));

describe('the rules of the workload', () => {
  it('are of every kind, and the API can read them', () => {
    const rules = numbers.map((number) => ruleOf(number, { from, until }));
    expect(new Set(rules.map(({ kind }) => kind))).deep.equal(new Set(['every', 'cron', 'rrule']));
    const expressions = rules.map((rule) => expressionOf(rule));
    expect(expressions[0]).deep.equal({ kind: 'every', expression: 'PT1M' });
    expect(expressions[2]!.expression).match(/^0,2,.*,58 \* \* \* \*$/);
    expect(expressions[8]).deep.equal({
      kind: 'cron',
      expression: '45,46,47,48 18 * * *',
      time_zone: 'Australia/Eucla',
    });
    const recurring = 'FREQ=DAILY;BYHOUR=0;BYMINUTE=30,31,32,33;BYSECOND=17';
    expect(expressions[11]).deep.equal({ kind: 'rrule', expression: recurring, time_zone: 'Pacific/Marquesas' });
  });

  it('have the instants whose wall time they name', () => {
    expect(iso(instantsOf({ kind: 'every' }, from, until))).deep.equal([
      '10:00:17',
      '10:01:17',
      '10:02:17',
      '10:03:17',
    ]);
    // 15:45 in Kathmandu is 10:00 in UTC
    expect(iso(instantsOf(ruleOf(3, { from, until }), from, until))).deep.equal(['10:01:00', '10:03:00']);
    expect(iso(instantsOf(ruleOf(9, { from, until }), from, until))).deep.equal(['10:01:00', '10:02:00', '10:03:00']);
    expect(iso(instantsOf(ruleOf(12, { from, until }), from, until))).lengthOf(4);
  });

  it('leave out the hours that they do not name', () => {
    const rule = { kind: 'cron', zone: 'Asia/Kathmandu', hours: [16], minutes: [45, 0], second: 0 } as const;
    const instants = instantsOf({ ...rule, hours: [16], minutes: [45, 0] }, from, from + 3_600_000);
    expect(iso(instants)).deep.equal(['10:15:00', '11:00:00']);
  });
});
