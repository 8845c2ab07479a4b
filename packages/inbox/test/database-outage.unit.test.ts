import { expect } from 'chai';
import { createTelemetry } from '@taskwire/telemetry';
import { silent, simulateWork } from '@taskwire/testing';
import { createDatabaseOutage } from '../src/database-outage.ts';

describe('work that is retried while the database is down', () => {
  const { logger } = createTelemetry({ service: 'test', stream: silent() });

  function outageWith(checkWritable: () => Promise<void>) {
    const stopping = new AbortController().signal;
    return createDatabaseOutage({ db: { checkWritable }, logger, stopping });
  }

  it('fails with its own error after three attempts if the database responds, however slowly', async () => {
    const outage = outageWith(async () => await simulateWork(150));
    let tries = 0;
    const work = () => Promise.reject(new Error(`try ${++tries}`));
    const error = await outage
      .retryWhileDatabaseIsDown(work, AbortSignal.timeout(5_000))
      .catch((thrown: unknown) => thrown);
    expect(error).to.be.an('error').with.property('message', 'try 3');
  });

  it('does not count failures during an outage', async () => {
    let probes = 0;
    const outage = outageWith(async () => {
      // unavailable at every second probe
      if (++probes % 2 === 1) throw new Error('unavailable');
    });
    let tries = 0;
    const work = async () => {
      if (++tries < 6) throw new Error('no connection');
      return tries;
    };
    expect(await outage.retryWhileDatabaseIsDown(work, AbortSignal.timeout(5_000))).to.equal(6);
  });

  for (const code of ['25006', '53100', '53300', '57P01', '57P03', '58030', '08006', 'ECONNREFUSED']) {
    it(`waits as long as the work itself fails with ${code}, although the probe succeeds`, async () => {
      const outage = outageWith(async () => undefined);
      let tries = 0;
      const work = async () => {
        if (++tries < 5) throw Object.assign(new Error('unavailable'), { code });
        return tries;
      };
      expect(await outage.retryWhileDatabaseIsDown(work, AbortSignal.timeout(10_000))).to.equal(5);
    });
  }

  it('retries after a lock timeout only if there is no alternative', async () => {
    const outage = outageWith(async () => undefined);
    const locked = Object.assign(new Error('canceling statement due to lock timeout'), { code: '55P03' });
    let tries = 0;
    const work = async () => {
      if (++tries < 5) throw locked;
      return tries;
    };
    const error = await outage
      .retryWhileDatabaseIsDown(work, AbortSignal.timeout(10_000))
      .catch((thrown: unknown) => thrown);
    expect([error, tries]).to.deep.equal([locked, 3]);
    expect(await outage.retryWhileDatabaseIsDownOrBusy(work, AbortSignal.timeout(10_000))).to.equal(5);
  });
});
