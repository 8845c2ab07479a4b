import type { Problem } from '@taskwire/errors';
import { expect } from 'chai';
import fc from 'fast-check';
import { changeDueDate, noDueDate, type DueDate } from '../src/domain/due-date.ts';

const zones = Intl.supportedValuesOf('timeZone');

function allDay(due_at: string, due_time_zone: string): DueDate {
  return changeDueDate(noDueDate, { due_at, due_time_zone, due_all_day: true });
}

function faultOf(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return (error as Problem).errors?.map(({ field, code }) => `${field} ${code}`).join();
  }
}

describe('A task that is due all day', () => {
  const ends: [string, string, string, string][] = [
    ['in summer', 'Europe/Berlin', '2026-07-01T12:00:00Z', '2026-07-01T21:59:59.999999Z'],
    [
      'after midnight there and before midnight in UTC',
      'Europe/Berlin',
      '2026-07-01T22:30:00Z',
      '2026-07-02T21:59:59.999999Z',
    ],
    [
      'on the day on which clocks are turned forward',
      'Europe/Berlin',
      '2026-03-29T00:30:00Z',
      '2026-03-29T21:59:59.999999Z',
    ],
    [
      'on the day on which clocks are turned back',
      'Europe/Berlin',
      '2026-10-25T00:30:00Z',
      '2026-10-25T22:59:59.999999Z',
    ],
    ['before a day that begins at 01:00', 'Africa/Cairo', '2026-04-23T12:00:00Z', '2026-04-23T21:59:59.999999Z'],
    ['on a day that begins at 01:00', 'Africa/Cairo', '2026-04-24T12:00:00Z', '2026-04-24T20:59:59.999999Z'],
    ['on a day whose last hour comes twice', 'Africa/Cairo', '2026-10-29T12:00:00Z', '2026-10-29T21:59:59.999999Z'],
    ['before a date that was left out', 'Pacific/Apia', '2011-12-29T12:00:00Z', '2011-12-30T09:59:59.999999Z'],
    ['with an offset of a quarter of an hour', 'Asia/Kathmandu', '2026-01-01T00:00:00Z', '2026-01-01T18:14:59.999999Z'],
  ];
  for (const [when, zone, given, expected] of ends) {
    it(`is due at the end of the day in its zone: ${when} (${zone})`, () => {
      expect(allDay(given, zone).due_at).to.equal(expected);
    });
  }

  it('stays as it is when a client sends back what it has read', () => {
    const years = { min: new Date('1990-01-01T00:00:00Z'), max: new Date('2050-01-01T00:00:00Z'), noInvalidDate: true };
    fc.assert(
      fc.property(fc.date(years), fc.constantFrom(...zones), (date, zone) => {
        const due = allDay(date.toISOString(), zone);
        expect(changeDueDate(due, due)).to.deep.equal(due);
      }),
    );
  });

  it('ends on the local date of the given time', () => {
    const years = { min: new Date('2020-01-01T00:00:00Z'), max: new Date('2040-01-01T00:00:00Z'), noInvalidDate: true };
    fc.assert(
      fc.property(fc.date(years), fc.constantFrom(...zones), (date, zone) => {
        const { due_at } = allDay(date.toISOString(), zone);
        const local = (instant: string) => Temporal.Instant.from(instant).toZonedDateTimeISO(zone);
        expect(local(due_at!).toPlainDate().toString()).to.equal(local(date.toISOString()).toPlainDate().toString());
        const next = local(due_at!).add({ microseconds: 1 });
        expect(next.toPlainDate().toString()).not.to.equal(local(due_at!).toPlainDate().toString());
      }),
    );
  });

  it('stays due on the same date when only its zone changes', () => {
    const due = allDay('2026-07-01T12:00:00Z', 'Europe/Berlin');
    const moved = changeDueDate(due, { due_time_zone: 'America/New_York' });
    expect(moved).to.deep.equal({
      due_at: '2026-07-02T03:59:59.999999Z',
      due_time_zone: 'America/New_York',
      due_all_day: true,
    });
    expect(changeDueDate(moved, { due_time_zone: 'Europe/Berlin' })).to.deep.equal(due);
  });

  it('takes a new date in a new zone as a date there', () => {
    const due = allDay('2026-07-01T12:00:00Z', 'Europe/Berlin');
    const given = { due_at: '2026-08-01T02:00:00Z', due_time_zone: 'America/New_York' };
    expect(changeDueDate(due, given).due_at).to.equal('2026-08-01T03:59:59.999999Z');
  });

  it('is no longer due all day once it has no date', () => {
    const due = allDay('2026-07-01T12:00:00Z', 'Europe/Berlin');
    expect(changeDueDate(due, { due_at: null })).to.deep.equal({
      due_at: null,
      due_time_zone: 'Europe/Berlin',
      due_all_day: false,
    });
  });

  it('keeps its instant when it is no longer due all day', () => {
    const due = allDay('2026-07-01T12:00:00Z', 'Europe/Berlin');
    expect(changeDueDate(due, { due_all_day: false, due_time_zone: null })).to.deep.equal({
      due_at: due.due_at,
      due_time_zone: null,
      due_all_day: false,
    });
  });

  it('needs a date and a zone, and a problem names the field', () => {
    const due = allDay('2026-07-01T12:00:00Z', 'Europe/Berlin');
    expect(faultOf(() => changeDueDate(noDueDate, { due_all_day: true }))).to.equal('due_all_day due_at_missing');
    expect(faultOf(() => changeDueDate(due, { due_at: null, due_all_day: true }))).to.equal(
      'due_all_day due_at_missing',
    );
    expect(faultOf(() => changeDueDate(due, { due_time_zone: null }))).to.equal('due_time_zone time_zone_missing');
    const given = { due_at: '2026-07-01T12:00:00Z', due_all_day: true };
    expect(faultOf(() => changeDueDate(noDueDate, given))).to.equal('due_time_zone time_zone_missing');
    expect(faultOf(() => allDay('9999-12-31T20:00:00Z', 'America/New_York'))).to.equal('due_at invalid_date');
  });
});

describe('A task that is due at a time', () => {
  it('stays due at that instant when its zone changes', () => {
    const due = changeDueDate(noDueDate, { due_at: '2026-07-01T12:00:00+02:00', due_time_zone: 'Europe/Berlin' });
    expect(due).to.deep.equal({
      due_at: '2026-07-01T10:00:00.000000Z',
      due_time_zone: 'Europe/Berlin',
      due_all_day: false,
    });
    expect(changeDueDate(due, { due_time_zone: 'Asia/Tokyo' }).due_at).to.equal(due.due_at);
  });

  it('becomes due at the end of that day', () => {
    const due = changeDueDate(noDueDate, { due_at: '2026-07-01T12:00:00Z', due_time_zone: 'Asia/Tokyo' });
    expect(changeDueDate(due, { due_all_day: true }).due_at).to.equal('2026-07-01T14:59:59.999999Z');
  });
});
