import { expect } from 'chai';
import { Counter, Registry } from 'prom-client';
import { metricsOnce } from '@taskwire/telemetry';

describe('metricsOnce', () => {
  it('creates the metrics once for each registry', () => {
    const requests = metricsOnce(
      (registry) => new Counter({ name: 'requests_total', help: 'Requests.', registers: [registry] }),
    );
    const [first, second] = [new Registry(), new Registry()];
    expect(requests(first)).to.equal(requests(first));
    expect(requests(second)).not.to.equal(requests(first));
    expect(second.getSingleMetric('requests_total')).to.equal(requests(second));
  });
});
