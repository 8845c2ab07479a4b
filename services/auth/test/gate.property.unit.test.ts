import { expect } from 'chai';
import fc from 'fast-check';
import { Problem } from '@taskwire/errors';
import { propertyRuns, propertyTimeoutMs } from '@taskwire/testing';
import type { HashTurn } from '../src/app/ports/passwords.ts';
import { createGate } from '../src/passwords/gate.ts';

type Job = { turn: HashTurn; state: 'waiting' | 'running' | 'done' | 'refused'; finish: () => void; refusal?: unknown };

/** The arrival of a call with this turn, or the end of the running job at this index (modulo the number of running jobs). */
type Step = { arrives: HashTurn } | { ends: number };

/** A job that began, and the jobs that were waiting at that moment (including itself), in order of arrival. */
type Start = { job: Job; waiting: Job[] };

const settled = async () => await new Promise((resolve) => setImmediate(resolve));
const sameClass = (one: Job, other: Job) => one.turn.isKnown === other.turn.isKnown;
const ofSource = (turn: HashTurn) => (job: Job) => job.turn.isKnown === turn.isKnown && job.turn.source === turn.source;

const turn = fc.record({ isKnown: fc.boolean(), source: fc.constantFrom('a', 'a', 'a', 'b', 'c', 'd') });
const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ arrives: turn }) },
    { weight: 2, arbitrary: fc.record({ ends: fc.nat(10) }) },
  ),
  // long enough to fill any of the queues
  { minLength: 10, maxLength: 60, size: 'max' },
);
const sizes = fc.record({ concurrency: fc.integer({ min: 1, max: 3 }), queue: fc.integer({ min: 0, max: 8 }) });

/** Plays steps, and calls `check` after each with the jobs that were waiting before it. Returns all jobs, and the starts in order. */
async function play(
  size: { concurrency: number; queue: number },
  given: Step[],
  check: (state: { jobs: Job[]; before: Job[]; arrived: Job | undefined; gate: ReturnType<typeof createGate> }) => void,
): Promise<{ jobs: Job[]; starts: Start[] }> {
  const gate = createGate(size);
  const jobs: Job[] = [];
  const starts: Start[] = [];
  const inState = (state: Job['state']) => jobs.filter((job) => job.state === state);

  function arrive(of: HashTurn): Job {
    const { promise, resolve } = Promise.withResolvers<void>();
    const job: Job = { turn: of, state: 'waiting', finish: resolve };
    jobs.push(job);
    const work = async () => {
      starts.push({ job, waiting: inState('waiting') });
      job.state = 'running';
      await promise;
    };
    gate.run(work, of).then(
      () => (job.state = 'done'),
      (error: unknown) => Object.assign(job, { state: 'refused', refusal: error }),
    );
    return job;
  }

  const endings: Step[] = Array.from({ length: given.length }, () => ({ ends: 0 }));
  for (const step of [...given, ...endings]) {
    const before = inState('waiting');
    const running = inState('running');
    const arrived = 'arrives' in step ? arrive(step.arrives) : undefined;
    if ('ends' in step) running[step.ends % running.length]?.finish();
    await settled();
    check({ jobs, before, arrived, gate });
  }
  return { jobs, starts };
}

const nothing = () => undefined;

describe('the gate before password hashes, under random load', function () {
  this.timeout(propertyTimeoutMs);
  const property = async (check: (size: { concurrency: number; queue: number }, given: Step[]) => Promise<void>) =>
    await fc.assert(fc.asyncProperty(sizes, steps, check), propertyRuns({ test: 100, drill: 2000 }));

  it('keeps its bounds, and leaves no place unused while a call waits', async () => {
    await property(async (size, given) => {
      await play(size, given, ({ jobs, gate }) => {
        expect(gate.running()).to.equal(jobs.filter(({ state }) => state === 'running').length);
        expect(gate.waiting()).to.equal(jobs.filter(({ state }) => state === 'waiting').length);
        expect(gate.running()).to.be.at.most(size.concurrency);
        expect(gate.waiting()).to.be.at.most(size.queue);
        if (gate.waiting() > 0) expect(gate.running()).to.equal(size.concurrency);
      });
    });
  });

  it('serves or refuses every call once, each refusal with a time to retry', async () => {
    await property(async (size, given) => {
      const { jobs } = await play(size, given, nothing);
      for (const { state, refusal } of jobs) {
        expect(state).to.be.oneOf(['done', 'refused']);
        if (state === 'done') continue;
        expect(refusal).to.be.instanceOf(Problem).and.to.include({ code: 'unavailable' });
        expect((refusal as Problem).headers).to.deep.equal({ 'Retry-After': '2' });
      }
    });
  });

  it('serves a source in order of arrival, and never twice while another of its class waits', async () => {
    await property(async (size, given) => {
      const { starts } = await play(size, given, nothing);
      for (const [index, { job, waiting }] of starts.entries()) {
        expect(waiting.find(ofSource(job.turn))).to.equal(job);
        const later = starts.slice(index + 1).findIndex((start) => ofSource(job.turn)(start.job));
        if (later === -1) continue;
        const between = starts.slice(index + 1, index + 1 + later).map((start) => start.job);
        const again = starts[index + 1 + later];
        // the jobs that were waiting at the first start and are still waiting at the second
        const passedBy = waiting.filter((other) => sameClass(other, job) && !ofSource(job.turn)(other));
        for (const other of passedBy.filter((one) => again?.waiting.includes(one))) {
          expect(between.some(ofSource(other.turn)), 'another source got no turn in between').to.equal(true);
        }
      }
    });
  });

  it('alternates between known and unknown callers while both wait', async () => {
    await property(async (size, given) => {
      const { starts } = await play(size, given, nothing);
      for (const [index, { job, waiting }] of starts.entries()) {
        const next = starts[index + 1];
        const others = waiting.filter((other) => !sameClass(other, job));
        if (next === undefined || others.length === 0) continue;
        // unless the waiting jobs lost their places in the meantime
        if (others.some((other) => next.waiting.includes(other))) expect(sameClass(next.job, job)).to.equal(false);
      }
    });
  });

  it('refuses only sources with more than their share of a full queue', async () => {
    await property(async (size, given) => {
      await play(size, given, ({ before, arrived }) => {
        if (arrived === undefined) return;
        const refused = [...before, arrived].filter(({ state }) => state === 'refused');
        expect(refused.length).to.be.at.most(1);
        const [victim] = refused;
        if (victim === undefined) return;
        expect(before.length).to.equal(size.queue);
        const own = before.filter((other) => sameClass(other, arrived));
        const share = arrived.turn.isKnown ? Math.ceil(size.queue / 2) : Math.floor(size.queue / 2);
        const lengthOf = (of: HashTurn) => before.filter(ofSource(of)).length;
        const longest = Math.max(0, ...before.filter((one) => sameClass(one, victim)).map((one) => lengthOf(one.turn)));
        if (victim === arrived) {
          expect(own.length).to.be.at.least(share);
          expect(longest).to.be.at.most(lengthOf(arrived.turn) + 1);
        } else {
          // the newest job of the source with the most jobs, in the class that exceeds its half
          expect(lengthOf(victim.turn)).to.equal(longest);
          expect(before.filter(ofSource(victim.turn)).at(-1)).to.equal(victim);
          expect(sameClass(victim, arrived)).to.equal(own.length >= share);
          if (sameClass(victim, arrived)) expect(longest).to.be.above(lengthOf(arrived.turn) + 1);
        }
      });
    });
  });
});
