import { expect } from 'chai';
import fc from 'fast-check';
import { Problem } from '@taskwire/errors';
import { normalised } from '../src/domain/content.ts';
import { utcInstant } from '../src/domain/instant.ts';

describe('A due date', () => {
  it('is stored in UTC with microseconds, whatever its offset', () => {
    expect(utcInstant('2026-11-20T17:57:51.123456+02:00')).to.equal('2026-11-20T15:57:51.123456Z');
    expect(utcInstant('2026-11-20T15:57Z')).to.equal('2026-11-20T15:57:00.000000Z');
    expect(utcInstant('2026-11-20T00:30:00.1234567-00:45')).to.equal('2026-11-20T01:15:00.123456Z');
  });

  it('is the same instant as in the request', () => {
    const bounds = {
      min: new Date('0002-01-01T00:00:00Z'),
      max: new Date('9998-12-31T00:00:00Z'),
      noInvalidDate: true,
    };
    fc.assert(
      fc.property(fc.date(bounds), fc.integer({ min: -23 * 60, max: 23 * 60 }), (date, offset) => {
        const sign = offset < 0 ? '-' : '+';
        const two = (number: number) => String(Math.trunc(number)).padStart(2, '0');
        const there = new Date(date.getTime() + offset * 60_000).toISOString().slice(0, -1);
        const given = `${there}${sign}${two(Math.abs(offset) / 60)}:${two(Math.abs(offset) % 60)}`;
        expect(Date.parse(utcInstant(given))).to.equal(date.getTime());
      }),
    );
  });

  for (const text of ['0000-06-01T00:00:00Z', '0001-01-01T00:00:00+01:00', '9999-12-31T23:59:59-01:00']) {
    it(`is rejected when the database could not represent it: ${text}`, () => {
      expect(() => utcInstant(text))
        .to.throw(Problem)
        .with.property('code', 'invalid_input');
    });
  }
});

describe('User-written text', () => {
  it('is well-formed Unicode when it is stored', () => {
    const fields = normalised({ title: 'half \ud83d', description: '\udc00', labels: ['\ud800'] });
    expect(JSON.stringify(fields)).not.to.match(/\\ud/i);
  });
});
