import { expect } from 'chai';
import { Registry } from 'prom-client';
import { measuredGauge, type Logger } from '@taskwire/telemetry';

describe('A measured gauge', () => {
  it('keeps its last value when a measurement fails, which is logged and does not fail the scrape', async () => {
    const metrics = new Registry();
    const warnings: unknown[] = [];
    const logger = { warn: (message: string) => void warnings.push(message) } as unknown as Logger;
    let measured: number | undefined = 7;
    measuredGauge(
      { metrics, logger },
      {
        name: 'lag_seconds',
        help: 'The lag.',
        async measure(gauge) {
          if (measured === undefined) throw new Error('the database is unavailable');
          gauge.set(measured);
        },
        failure: 'could not measure the lag',
      },
    );
    expect(await metrics.metrics()).to.contain('lag_seconds 7');
    measured = undefined;
    expect(await metrics.metrics()).to.contain('lag_seconds 7');
    expect(warnings).to.deep.equal(['could not measure the lag']);
    measured = 9;
    expect(await metrics.metrics()).to.contain('lag_seconds 9');
  });
});
