import { expect } from 'chai';
import { createTelemetry } from '@taskwire/telemetry';
import { silent, testDatabase, type TestDatabase } from '@taskwire/testing';
import { createClockCheck } from '../src/clock.ts';

describe('the clock of a process', () => {
  let test: TestDatabase;
  const realNow = Date.now;

  before(async () => {
    test = await testDatabase([]);
  });
  after(async () => await test.drop());
  afterEach(() => {
    Date.now = realNow;
  });

  function check(offsetMs: number) {
    Date.now = () => realNow() + offsetMs;
    return createClockCheck(test.db.pool, createTelemetry({ service: 'test', stream: silent() }))();
  }

  it("is accepted when it agrees with the database's clock", async () => {
    expect(await check(0)).to.equal(undefined);
  });

  for (const [offsetMs, text] of [
    [90_000, '90 s ahead of'],
    [-90_000, '90 s behind'],
  ] as const) {
    it(`causes a warning when it is ${text} the database's clock`, async () => {
      expect((await check(offsetMs))?.warning).to.match(new RegExp(`is (89|90|91) s ${text.slice(5)} the database's`));
    });
  }

  it('makes the service not ready when it is too far off to validate tokens', async () => {
    for (const offsetMs of [600_000, -600_000]) {
      const error = await check(offsetMs).then(
        () => expect.fail('the wrong clock was accepted'),
        (thrown: unknown) => thrown,
      );
      expect(String(error)).to.contain("the database's; synchronise it (NTP)");
    }
  });
});
