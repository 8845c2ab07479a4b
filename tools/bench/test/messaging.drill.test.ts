import { measureConsume } from '../consume.ts';
import { measureLatency } from '../latency.ts';

// The other benchmarks start the suite, which end-to-end tests start too. These two assemble the packages themselves, so nothing else would notice
// that a message of theirs is refused.
describe('the benchmarks of messaging, at a small size', () => {
  it('the inbox handles each event that `consume` publishes, and so do its ceilings and its peer', async () => {
    await measureConsume({ rounds: 1, events: 500, peerEvents: 50 });
  }).timeout(120_000);

  it('each event that `latency` appends arrives at its handler', async () => {
    await measureLatency({ rounds: 1, seconds: 1 });
  }).timeout(120_000);
});
