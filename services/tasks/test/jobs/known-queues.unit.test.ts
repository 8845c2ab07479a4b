import { expect } from 'chai';
import type { ServiceClient } from '@taskwire/http-client';
import { waitFor } from '@taskwire/testing';
import { createKnownQueues, type KnownQueuesTiming } from '../../src/clients/known-queues.ts';

/** A request that Auth has received. */
type Read = { at: number; list(queues: string[], more?: boolean): void; fail(): void };

/** The queues known to a process. Auth responds to each read when the test says so. */
function knownTo(timing: Partial<KnownQueuesTiming> = {}) {
  const reads: Read[] = [];
  const get = async () =>
    await new Promise((resolve) =>
      reads.push({
        at: performance.now(),
        list: (data, more = false) => resolve({ kind: 'ok', value: { data, more } }),
        fail: () => resolve({ kind: 'unavailable', reason: 'deadline', detail: 'too slow' }),
      }),
    );
  const auth = { open: false, get: get as ServiceClient['get'] };
  const { unknownAmong } = createKnownQueues(auth, { timeoutMs: 1_000, gapMs: 1, maxAgeMs: 60_000, ...timing });
  const judge = async (...names: string[]) => [...(await unknownAmong(names))];
  const read = async (number: number) => await waitFor(() => reads[number - 1]);
  /** Judges a name by the next list, which has these queues. */
  async function judgeBy(queues: string[], name: string): Promise<string[]> {
    const [number, judged] = [reads.length + 1, judge(name)];
    (await read(number)).list(queues);
    return await judged;
  }
  return { auth, reads, judge, read, judgeBy };
}

describe('The queues that a process of Tasks knows', () => {
  it('are read once, and a name among them needs no further request', async () => {
    const { reads, judge, judgeBy } = knownTo();
    expect(await judgeBy(['mails', 'reports'], 'reports')).to.deep.equal([]);
    expect(await judge('reports', 'mails')).to.deep.equal([]);
    expect(reads).to.have.length(1);
  });

  it('do not have a misspelt name', async () => {
    const { judgeBy } = knownTo();
    expect(await judgeBy(['reports'], 'report')).to.deep.equal(['report']);
  });

  it('include a new one at once: a name is judged only by a list that was requested after it', async () => {
    const { reads, judge, read } = knownTo();
    const early = judge('report');
    const first = await read(1);
    const later = [judge('fresh'), judge('report', 'fresh'), judge('reports')];
    first.list(['reports']);
    expect(await early).to.deep.equal(['report']);
    (await read(2)).list(['reports', 'fresh']);
    expect(await Promise.all(later)).to.deep.equal([[], ['report'], []]);
    // the names that came while the first request ran have shared the second one
    expect(reads).to.have.length(2);
  });

  it('include a new one even right after a refusal', async () => {
    const { judgeBy } = knownTo();
    expect(await judgeBy(['reports'], 'fresh')).to.deep.equal(['fresh']);
    expect(await judgeBy(['reports', 'fresh'], 'fresh')).to.deep.equal([]);
  });

  it('are read with a gap, however many names are unknown', async () => {
    const gapMs = 40;
    const { reads, judgeBy } = knownTo({ gapMs });
    for (const name of ['a', 'b', 'c']) expect(await judgeBy(['reports'], name)).to.deep.equal([name]);
    for (const [place, { at }] of reads.slice(1).entries()) {
      // a timer may fire up to a millisecond early
      expect(at - (reads[place]?.at ?? 0)).to.be.at.least(gapMs - 2);
    }
  });

  it('lose those of a removed client with the first use after a while, which does not wait for it', async () => {
    const { judge, read, judgeBy } = knownTo({ maxAgeMs: -1 });
    expect(await judgeBy(['mails', 'reports'], 'reports')).to.deep.equal([]);
    expect(await judge('reports')).to.deep.equal([]);
    (await read(2)).list(['mails']);
    // the response is taken in before the next turn of the event loop
    await new Promise(setImmediate);
    expect(await judgeBy(['mails'], 'reports')).to.deep.equal(['reports']);
  });

  it('are read once when they are old, however many names are used during that read', async () => {
    const { reads, judge, read, judgeBy } = knownTo({ maxAgeMs: -1, gapMs: 0 });
    expect(await judgeBy(['mails', 'reports'], 'reports')).to.deep.equal([]);
    expect(await judge('reports')).to.deep.equal([]);
    const refresh = await read(2);
    expect(await judge('reports')).to.deep.equal([]);
    refresh.list(['mails', 'reports']);
    // without a gap, another read would begin before the next turn of the event loop
    await new Promise(setImmediate);
    expect(reads).to.have.length(2);
  });

  it('exclude no name as long as no client has a queue', async () => {
    const { reads, judge, judgeBy } = knownTo({ gapMs: 60_000 });
    expect(await judgeBy([], 'reports')).to.deep.equal([]);
    expect(await judge('mails')).to.deep.equal([]);
    expect(reads).to.have.length(1);
  });

  it('exclude a name as soon as a client has a queue', async () => {
    const { judgeBy } = knownTo({ gapMs: 0 });
    expect(await judgeBy([], 'reports')).to.deep.equal([]);
    expect(await judgeBy(['mails'], 'reports')).to.deep.equal(['reports']);
  });

  it('exclude no name if Auth cannot list all of them', async () => {
    const { judge, read } = knownTo();
    const judged = judge('reports');
    (await read(1)).list(['mails'], true);
    expect(await judged).to.deep.equal([]);
  });

  it('exclude no name while Auth is slow or down, which is not asked again for each of them', async () => {
    const { reads, judge, read } = knownTo({ gapMs: 60_000 });
    const early = judge('report');
    const failing = await read(1);
    const waiting = judge('mail');
    failing.fail();
    expect(await Promise.all([early, waiting, judge('others')])).to.deep.equal([[], [], []]);
    expect(reads).to.have.length(1);
  });

  it('are taken from a response that comes after a name has stopped waiting for it', async () => {
    const { reads, judge, read } = knownTo({ timeoutMs: 1 });
    const judged = judge('reports');
    const slow = await read(1);
    expect(await judged).to.deep.equal([]);
    slow.list(['reports']);
    await new Promise(setImmediate);
    expect(await judge('reports')).to.deep.equal([]);
    expect(reads).to.have.length(1);
  });

  it('exclude no name while the breaker is open, but those of the last list stay known', async () => {
    const { auth, reads, judge, judgeBy } = knownTo();
    expect(await judgeBy(['reports'], 'reports')).to.deep.equal([]);
    auth.open = true;
    expect(await judge('reports', 'report')).to.deep.equal([]);
    expect(reads).to.have.length(1);
    auth.open = false;
    expect(await judgeBy(['reports'], 'report')).to.deep.equal(['report']);
  });
});
