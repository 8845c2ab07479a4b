import { expect } from 'chai';
import { createBench, publishThroughCut, type Bench } from './bench.ts';

describe('publisher whose socket fails', () => {
  let bench: Bench;
  beforeEach(async () => (bench = await createBench()));
  afterEach(async () => await bench.drop());

  it('connects eventually, at whichever byte of the set-up the socket fails', async () => {
    let cuts = 0;
    // for handshake and topology, the broker sends about 800 bytes; the last rounds cut the stream within the confirm
    for (let bytes = 1; bytes < 900; bytes += 30) cuts += await publishThroughCut(bench, bytes);
    expect(cuts).to.be.greaterThan(15);
  });
});
