import { expect } from 'chai';
import { Problem } from '@taskwire/errors';
import type { Rule, RuleKind } from '../../src/domain/schedules/rule.ts';
import { evaluate } from '../../src/recurrence/evaluate.ts';

const tenYears = 10 * 366 * 86_400_000;

type More = Partial<Rule> & { limit?: number };

/** The occurrences after an instant, as text; those that are skipped end with the reason. */
function runs(kind: RuleKind, expression: string, after: string, { limit = 3, ...more }: More = {}): string[] {
  const from = Date.parse(after);
  const base = { timeZone: 'Europe/Berlin', startsAt: null, endsAt: null, dstGap: 'run_after' } as const;
  const rule = { ...base, kind, expression, ...more };
  const text = ({ at, skipped }: { at: number; skipped: string | null }) =>
    `${new Date(at).toISOString().slice(0, 16)}${skipped === null ? '' : ` ${skipped}`}`;
  return evaluate(rule, { after: from, until: from + tenYears, limit }).map(text);
}

function refusal(kind: RuleKind, expression: string): string {
  try {
    runs(kind, expression, '2026-01-01T00:00:00Z', { startsAt: 0 });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    expect(error.errors?.[0]?.field).to.equal('expression');
    return error.code === 'invalid_input' ? String(error.errors?.[0]?.code) : error.code;
  }
  return 'none';
}

describe('The rule of a schedule, when the clocks change', () => {
  for (const [kind, expression] of [
    ['cron', '30 2 * * *'],
    ['rrule', 'FREQ=DAILY;BYHOUR=2;BYMINUTE=30;BYSECOND=0'],
  ] as const) {
    it(`runs a fixed time (${kind}) right after a gap that contains it, and only the first time if it is repeated`, () => {
      const days = ['2026-03-28T01:30', '2026-03-29T01:00', '2026-03-30T00:30'];
      expect(runs(kind, expression, '2026-03-28T00:00:00Z')).to.deep.equal(days);
      const autumn = ['2026-10-24T00:30', '2026-10-25T00:30', '2026-10-26T01:30'];
      expect(runs(kind, expression, '2026-10-24T00:00:00Z')).to.deep.equal(autumn);
    });

    it(`reports a fixed time (${kind}) in a gap as skipped if the rule skips gaps`, () => {
      const days = ['2026-03-28T01:30', '2026-03-29T01:00 dst_gap', '2026-03-30T00:30'];
      expect(runs(kind, expression, '2026-03-28T00:00:00Z', { dstGap: 'skip' })).to.deep.equal(days);
    });
  }

  it('runs an interval in both passes of a repeated hour, and not in a gap', () => {
    const spring = ['2026-03-29T00:30', '2026-03-29T01:00', '2026-03-29T01:30'];
    expect(runs('cron', '*/30 * * * *', '2026-03-29T00:15:00Z')).to.deep.equal(spring);
    const autumn = ['2026-10-25T00:00', '2026-10-25T00:30', '2026-10-25T01:00', '2026-10-25T01:30', '2026-10-25T02:00'];
    expect(runs('cron', '*/30 2,3 * * *', '2026-10-24T23:59:00Z', { limit: 5 })).to.deep.equal(autumn);
    expect(runs('every', 'PT30M', '2026-10-24T23:59:00Z', { limit: 5, startsAt: 0 })).to.deep.equal(autumn);
  });

  it('runs wall times that meet in one instant once, whether or not some of them are skipped', () => {
    const all = ['2026-03-29T00:30', '2026-03-29T01:00', '2026-03-29T01:30'];
    for (const dstGap of ['run_after', 'skip'] as const) {
      expect(runs('cron', '0,30 1,2,3 * * *', '2026-03-29T00:00:00Z', { dstGap })).to.deep.equal(all);
    }
  });

  it('handles the half-hour shift of Lord Howe and the gap at midnight in Santiago, and never makes up for the lost day of Apia', () => {
    const lordHowe = { timeZone: 'Australia/Lord_Howe', limit: 2 };
    expect(runs('cron', '15 2 * * *', '2026-10-03T12:00:00Z', lordHowe)).to.deep.equal([
      '2026-10-03T15:30',
      '2026-10-04T15:15',
    ]);
    const santiago = { timeZone: 'America/Santiago', limit: 2 };
    expect(runs('cron', '0 0 * * *', '2026-09-05T12:00:00Z', santiago)).to.deep.equal([
      '2026-09-06T04:00',
      '2026-09-07T03:00',
    ]);
    const apia = { timeZone: 'Pacific/Apia' };
    const around = ['2011-12-29T19:30', '2011-12-30T10:00 dst_gap', '2011-12-30T19:30'];
    expect(runs('cron', '30 9 * * *', '2011-12-29T12:00:00Z', apia)).to.deep.equal(around);
  });
});

describe('The rule of a schedule', () => {
  it('stays within starts_at and ends_at, both included, and counts from starts_at', () => {
    const bounds = { startsAt: Date.parse('2026-05-01T10:00:00Z'), endsAt: Date.parse('2026-05-01T11:00:00Z') };
    const expected = ['2026-05-01T10:00', '2026-05-01T10:25', '2026-05-01T10:50'];
    expect(runs('every', 'PT25M', '2026-01-01T00:00:00Z', { ...bounds, limit: 9 })).to.deep.equal(expected);
    expect(runs('cron', '0 * * * *', '2026-01-01T00:00:00Z', { ...bounds, limit: 9 })).to.deep.equal([
      '2026-05-01T10:00',
      '2026-05-01T11:00',
    ]);
  });

  it('ends an RRULE at COUNT, counted from starts_at, and at UNTIL in UTC, in local time or as a day', () => {
    const startsAt = Date.parse('2026-05-01T08:00:00Z');
    const daily = (more: string) => runs('rrule', `FREQ=DAILY;${more}`, '2026-05-02T08:00:00Z', { startsAt, limit: 9 });
    expect(daily('COUNT=4')).to.deep.equal(['2026-05-03T08:00', '2026-05-04T08:00']);
    expect(daily('UNTIL=20260504T080000Z')).to.deep.equal(['2026-05-03T08:00', '2026-05-04T08:00']);
    expect(daily('UNTIL=20260504T095959')).to.deep.equal(['2026-05-03T08:00']);
    expect(daily('UNTIL=20260504')).to.deep.equal(['2026-05-03T08:00', '2026-05-04T08:00']);
  });

  it('supports last weekdays, leap days and single runs at a local time', () => {
    const friday = 'FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=9;BYMINUTE=0;BYSECOND=0';
    expect(runs('rrule', friday, '2026-11-28T00:00:00Z', { startsAt: 0, limit: 2 })).to.deep.equal([
      '2026-12-25T08:00',
      '2027-01-29T08:00',
    ]);
    expect(runs('cron', '0 0 29 2 *', '2026-11-28T00:00:00Z', { timeZone: 'UTC', limit: 2 })).to.deep.equal([
      '2028-02-29T00:00',
      '2032-02-29T00:00',
    ]);
    expect(runs('at', '2026-12-24T18:00:00', '2026-11-28T00:00:00Z')).to.deep.equal(['2026-12-24T17:00']);
    expect(runs('at', '2026-12-24T18:00:00Z', '2026-11-28T00:00:00Z')).to.deep.equal(['2026-12-24T18:00']);
    expect(runs('cron', '0 0 31 2 *', '2026-11-28T00:00:00Z')).to.deep.equal([]);
  });

  it('refuses unknown parts instead of ignoring them', () => {
    const faults: [RuleKind, string, string][] = [
      ['rrule', 'FREQ=HOURLY', 'use_every_or_cron'],
      ['rrule', 'FREQ=SECONDLY;COUNT=1', 'use_every_or_cron'],
      ['rrule', 'FREQ=DAILY;RSCALE=CHINESE', 'invalid_rrule'],
      ['rrule', 'FREQ=DAILY;FREQ=DAILY', 'invalid_rrule'],
      ['rrule', 'FREQ=DAILY;constructor=1', 'invalid_rrule'],
      ['rrule', 'FREQ=DAILY;BYSECOND=0,30', 'invalid_rrule'],
      ['rrule', 'FREQ=DAILY;BYHOUR=24', 'invalid_rrule'],
      ['rrule', 'FREQ=DAILY;COUNT=1;UNTIL=20270101', 'invalid_rrule'],
      ['rrule', 'FREQ=DAILY;UNTIL=20270231', 'invalid_rrule'],
      ['rrule', 'FREQ=WEEKLY;BYDAY=1MO', 'invalid_rrule'],
      ['rrule', 'BYDAY=MO', 'invalid_rrule'],
      ['rrule', 'RRULE:FREQ=DAILY', 'invalid_rrule'],
      ['rrule', '', 'invalid_rrule'],
      ['cron', '* * * * * *', 'invalid_cron'],
      ['cron', '* * * *', 'invalid_cron'],
      ['cron', '@daily', 'invalid_cron'],
      ['cron', '60 * * * *', 'invalid_cron'],
      ['cron', '5-1 * * * *', 'invalid_cron'],
      ['every', 'PT59S', 'interval_too_short'],
      ['every', 'P1M', 'invalid_duration'],
      ['every', 'P', 'invalid_duration'],
      ['every', 'PT0.5H', 'invalid_duration'],
      ['at', '2026-02-30T10:00:00', 'invalid_time'],
      ['at', 'tomorrow', 'invalid_time'],
    ];
    const seen = faults.map(([kind, expression]) => [kind, expression, refusal(kind, expression)]);
    expect(seen).to.deep.equal(faults);
  });
});
