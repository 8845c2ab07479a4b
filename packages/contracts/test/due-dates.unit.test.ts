import { expect } from 'chai';
import { remindBefore, timeZone } from '../src/rest/due-dates.ts';
import { tasksRoutes } from '../src/rest/tasks.ts';

describe('The time zone of a due date', () => {
  it('is any IANA zone, returned in its usual capitalisation', () => {
    for (const zone of Intl.supportedValuesOf('timeZone')) expect(timeZone.parse(zone)).to.equal(zone);
    for (const [given, zone] of [['europe/berlin', 'Europe/Berlin'], ['US/PACIFIC', 'US/Pacific'], ['utc', 'UTC']])
      expect(timeZone.parse(given)).to.equal(zone);
  });

  for (const given of ['', 'Mars/Olympus_Mons', '+01:00', '-0800', '\u221201:00', 'Europe/Berlin ', '2026-01-01T00:00Z[Europe/Paris]', 'x'.repeat(65)]) {
    it(`is not ${JSON.stringify(given)}`, () => {
      expect(timeZone.safeParse(given).success).to.equal(false);
    });
  }

  it('is rejected with an example if it is unknown', () => {
    const [issue] = timeZone.safeParse('Mars/Olympus_Mons').error?.issues ?? [];
    expect(issue?.message).to.include('Europe/Berlin');
  });
});

describe('The time of a reminder', () => {
  it('is an ISO 8601 duration from a minute to a year, in its usual form', () => {
    const given = ['P1D', 'p1d', 'PT24H', 'P1W', 'PT1M', 'P366D', 'P1Y', 'P12M', 'PT0.5H', 'P1M2W3DT4H30M', 'PT90.5S', 'PT60S'];
    const expected = ['P1D', 'P1D', 'PT24H', 'P1W', 'PT1M', 'P366D', 'P1Y', 'P12M', 'PT30M', 'P1M2W3DT4H30M', 'PT90.5S', 'PT60S'];
    expect(given.map((text) => remindBefore.parse(text))).to.deep.equal(expected);
  });

  for (const given of ['', 'P', 'PT', '1 day', 'P0D', 'PT59S', '-P1D', 'P367D', 'P1Y1D', 'PT999999H', 'P1.5D', 'P290000Y', 'P999999999M', 'P9999999999999999Y']) {
    it(`is not ${JSON.stringify(given)}`, () => {
      expect(remindBefore.safeParse(given).success).to.equal(false);
    });
  }
});

describe('A new task', () => {
  it('gives the same body with and without the defaults of its due date, as in the previous release', () => {
    // the fingerprint of an Idempotency-Key is made from this text
    const text = (more: object) => JSON.stringify(tasksRoutes.createTask.body.parse({ title: 'Paint', ...more }));
    const defaults = { due_time_zone: null, due_all_day: false, remind_before: 'P1D' };
    expect(text({})).to.equal('{"title":"Paint","description":"","priority":"normal","due_at":null,"labels":[]}');
    expect(text(defaults)).to.equal(text({}));
    const given = { due_time_zone: 'utc', due_all_day: true, remind_before: 'PT2H' };
    expect(JSON.parse(text(given))).to.include({ due_time_zone: 'UTC', due_all_day: true, remind_before: 'PT2H' });
  });
});
