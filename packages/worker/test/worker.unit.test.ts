import { ProblemError } from '@taskwire/client';
import { expect } from 'chai';
import {
  createWorker,
  JobAborted,
  JobError,
  type JobContext,
  type WorkerEvent,
  type WorkerOptions,
} from '../src/index.ts';
import { workerWith } from '../src/worker.ts';
import { firstOf, useJobServer } from './job-server.ts';
import { shortSettings } from './short-times.ts';

/** A promise with its resolver. */
function gate<T = void>(): { opened: Promise<T>; open: (value: T) => void } {
  let open: (value: T) => void = () => undefined;
  const opened = new Promise<T>((resolve) => (open = resolve));
  return { opened, open };
}

/** Resolves when the signal is aborted. */
const aborted = ({ signal }: JobContext) =>
  new Promise<JobAborted>((resolve) => signal.addEventListener('abort', () => resolve(signal.reason), { once: true }));

describe('A worker', function () {
  this.timeout(60_000);
  const server = useJobServer();
  const started: { stop(): Promise<void> }[] = [];
  afterEach(async () => {
    await Promise.all(started.splice(0).map(async (worker) => await worker.stop()));
  });

  /** Starts a worker; `until` resolves with the first event of a kind. */
  function start(
    handler: WorkerOptions['handler'],
    { auth = () => 'token', ...times }: Parameters<typeof shortSettings>[1] & Partial<Pick<WorkerOptions, 'auth'>> = {},
  ) {
    const events: WorkerEvent[] = [];
    const waiting: (() => void)[] = [];
    const options = { url: server.url, auth, queues: ['reports'], signals: [], handler };
    const onEvent = (event: WorkerEvent) => {
      events.push(event);
      for (const look of waiting.splice(0)) look();
    };
    const worker = workerWith({ ...options, onEvent }, shortSettings(server.url, times));
    started.push(worker);
    const ended = worker.run();
    ended.catch(() => undefined);
    async function until(kind: WorkerEvent['event'], count = 1): Promise<WorkerEvent[]> {
      for (;;) {
        const found = events.filter(({ event }) => event === kind);
        if (found.length >= count) return found;
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
    }
    return { worker, ended, events, until };
  }

  it('gives a job to the handler and settles it with the return value', async () => {
    const [job] = server.enqueue(1, { user: 7 });
    const seen: unknown[] = [];
    const { until } = start((given, { fence }) => {
      seen.push(given, fence);
      return { rows: 3 };
    });
    await until('job_settled');
    const given = { id: job!.id, queue: 'reports', kind: 'report', payload: { user: 7 }, attempt: 1, deadline: null };
    expect(seen).to.deep.equal([given, 1]);
    expect(job).to.deep.include({ state: 'succeeded', endings: [{ complete: { result: { rows: 3 } } }] });
  });

  it('repeats a claim with the same claim_id after a lost response, and runs its jobs once', async () => {
    server.fault = firstOf('claim', 'answer lost', { status: 503, code: 'unavailable' });
    const jobs = server.enqueue(3);
    const runs: string[] = [];
    const { until } = start(({ id }) => void runs.push(id), { concurrency: 3 });
    await until('job_settled', 3);
    const ids = server.requestsOf('claim').map(({ body }) => body.claim_id);
    expect(new Set(ids.slice(0, 3)).size, 'three attempts of one claim').to.equal(1);
    expect(runs).to.have.members(jobs.map(({ id }) => id));
    expect(jobs.map(({ attempt }) => attempt)).to.deep.equal([1, 1, 1]);
  });

  it('repeats a settlement after a lost response until it gets the first response', async () => {
    server.fault = firstOf('settle', 'answer lost', 'request lost', { status: 503, code: 'unavailable' });
    const [job] = server.enqueue();
    const { until, events } = start(() => 'done');
    expect(await until('job_settled')).to.deep.include({ ...(await until('job_settled'))[0], state: 'succeeded' });
    expect(job?.endings).to.have.lengthOf(1);
    const bodies = server.requestsOf('settle').map(({ body }) => body);
    expect(bodies.length).to.be.at.least(4);
    for (const body of bodies) expect(body).to.deep.equal(bodies[0]);
    expect(events.filter(({ event }) => event === 'job_dropped')).to.deep.equal([]);
  });

  it('never holds more jobs than its concurrency, and settles those that end together in one request', async () => {
    let count = 0;
    server.fault = ({ operation }) => (operation !== 'heartbeat' && ++count % 5 === 0 ? 'answer lost' : undefined);
    const jobs = server.enqueue(60);
    let running = 0;
    let most = 0;
    const { until } = start(
      async () => {
        most = Math.max(most, ++running);
        await new Promise(setImmediate);
        running -= 1;
      },
      { concurrency: 7 },
    );
    await until('job_settled', 60);
    expect(jobs.every(({ state, endings }) => state === 'succeeded' && endings.length === 1)).to.equal(true);
    expect(server.mostLeased).to.equal(7);
    expect(most).to.be.at.most(7);
    expect(server.requestsOf('settle').some(({ body }) => body.items.length > 1)).to.equal(true);
  });

  it('keeps all leases with one heartbeat for as long as the handlers run', async () => {
    const jobs = server.enqueue(3);
    const { opened, open } = gate();
    const { until } = start(async () => await opened, { concurrency: 3 });
    await until('job_started', 3);
    const began = performance.now();
    await server.until(() => performance.now() > began + 1.2 * server.leaseMs);
    open();
    await until('job_settled', 3);
    expect(jobs.map(({ attempt, state }) => [attempt, state])).to.deep.equal(Array(3).fill([1, 'succeeded']));
    const beats = server.requestsOf('heartbeat').map(({ body }) => body.leases.length);
    expect(beats.filter((leases) => leases === 3)).to.have.lengthOf.at.least(4);
  });

  it('aborts the signal before an unconfirmed lease ends, and returns the job', async () => {
    server.fault = ({ operation }) => (operation === 'heartbeat' ? 'request lost' : undefined);
    const [job] = server.enqueue();
    const left = gate<number>();
    const reason = gate<JobAborted>();
    const { until, events } = start(async (given, context) => {
      if (given.attempt > 1) return;
      reason.open(await aborted(context));
      left.open(job!.endsAt - performance.now());
      context.signal.throwIfAborted();
    });
    expect(await reason.opened)
      .to.be.instanceOf(JobAborted)
      .and.include({ reason: 'unconfirmed' });
    expect(await left.opened).to.be.within(1, 2_300);
    await until('job_settled', 2);
    expect(job?.endings).to.deep.equal([{ release: true }, { complete: {} }]);
    expect(events.some((event) => event.event === 'request_failed' && event.request === 'heartbeat')).to.equal(true);
  });

  it('lets the lease of a handler that hangs end, and reports when such handlers occupy all slots', async () => {
    const [first] = server.enqueue();
    const { until } = start(
      async ({ attempt }, context) => {
        if (attempt === 1) await new Promise(() => context.progress({ hanging: true }));
      },
      { maxRunMs: 300 },
    );
    expect(await until('job_aborted')).to.deep.equal([
      { event: 'job_aborted', jobId: first?.id, reason: 'run_timeout' },
    ]);
    await until('job_abandoned');
    expect(await until('stalled'), 'an abandoned handler occupies one slot').to.deep.equal([
      { event: 'stalled', abandoned: 1 },
    ]);
  });

  it('gives the slot of a handler that hangs to another job', async () => {
    const [first] = server.enqueue();
    const { until } = start(async ({ attempt }) => (attempt === 1 ? await new Promise(() => undefined) : 'done'), {
      maxRunMs: 300,
      concurrency: 2,
    });
    await until('job_settled');
    expect(first).to.deep.include({ attempt: 2, state: 'succeeded' });
  });

  it('aborts the signal of a cancelled job', async () => {
    const [job] = server.enqueue();
    const { until } = start(async (_, context) => {
      job!.cancelRequested = true;
      throw await aborted(context);
    });
    const [settled] = await until('job_settled');
    expect(settled).to.deep.include({ ending: 'failed', state: 'cancelled' });
    expect(job?.endings).to.deep.equal([
      { fail: { code: 'cancel_requested', message: 'The job was cancelled.', final: false } },
    ]);
  });

  it('drops the outcome of a job whose lease is lost, without a settlement', async () => {
    const [job] = server.enqueue();
    const { until } = start(async ({ attempt }, context) => {
      if (attempt > 1) return;
      job!.endsAt = 0;
      expect(await aborted(context)).to.include({ reason: 'lease_lost' });
    });
    expect((await until('job_dropped'))[0]).to.deep.equal({
      event: 'job_dropped',
      jobId: job?.id,
      reason: 'lease_lost',
    });
    await until('job_settled');
    expect(job?.endings).to.have.lengthOf(1);
  });

  it('fails jobs as specified by the errors of their handlers', async () => {
    const errors = [
      new JobError('no_such_user', 'There is no user 7.', { final: true }),
      new JobError('busy', 'Later.', { retryAfter: 1.5 }),
      new TypeError('x is not a function'),
      'text\u0000',
    ];
    const jobs = errors.map((_, place) => server.enqueue(1, place)[0]);
    const { until } = start(({ payload }) => {
      // a handler may throw anything
      throw errors[payload as number] as Error;
    });
    const settled = await until('job_settled', 4);
    expect(jobs.map((job) => job?.endings[0])).to.deep.equal([
      { fail: { code: 'no_such_user', message: 'There is no user 7.', final: true } },
      { fail: { code: 'busy', message: 'Later.', final: false, retry_after: 2 } },
      { fail: { code: 'handler_error', message: 'TypeError: x is not a function', final: false } },
      { fail: { code: 'handler_error', message: 'text ', final: false } },
    ]);
    // a log of JSON lines names the cause, although JSON leaves out the message of an error
    const logged = settled.map((event) => JSON.parse(JSON.stringify(event)) as Record<string, unknown>);
    expect(logged.map(({ code, message }) => `${String(code)}: ${String(message)}`)).to.have.members([
      'no_such_user: There is no user 7.',
      'busy: Later.',
      'handler_error: TypeError: x is not a function',
      'handler_error: text ',
    ]);
    for (const { runMs } of logged) expect(runMs).to.satisfy(Number.isInteger);
  });

  it('fails a job permanently if its result cannot be stored', async () => {
    const results = [10n, 'x'.repeat(70_000), () => undefined];
    const jobs = results.map((_, place) => server.enqueue(1, place)[0]);
    const { until } = start(({ payload }) => results[payload as number]);
    await until('job_settled', 3);
    for (const job of jobs)
      expect(job?.endings[0]).to.have.nested.include({ 'fail.code': 'invalid_result', 'fail.final': true });
  });

  it('settles the other jobs of a batch that is refused for one of them', async () => {
    const jobs = server.enqueue(3);
    const bad = jobs[1]!.id;
    const refuses = ({ items }: { items: { lease_token: string }[] }) =>
      items.some((item) => item.lease_token.startsWith(bad) && 'complete' in item);
    server.fault = ({ operation, body }) =>
      operation === 'settle' && refuses(body) ? { status: 422, code: 'invalid_input' } : undefined;
    const { opened, open } = gate();
    const { until } = start(async () => await opened, { concurrency: 3 });
    await until('job_started', 3);
    open();
    await until('job_settled', 3);
    expect(jobs.map(({ endings }) => Object.keys(endings[0] as object)[0])).to.deep.equal([
      'complete',
      'fail',
      'complete',
    ]);
  });

  it('reports the latest progress', async () => {
    const [job] = server.enqueue();
    const { until } = start(async (_, { progress }) => {
      for (let done = 1; done <= 100; done++) progress({ done });
      await server.until(() => job!.progress.length > 1);
    });
    await until('job_settled');
    expect(job?.progress.length).to.be.below(6);
    expect(job?.progress.at(-1)).to.deep.equal({ done: 100 });
  });

  it('finishes running jobs before it stops, and claims no more', async () => {
    const { opened, open } = gate();
    const [job] = server.enqueue();
    const { worker, ended, until } = start(async () => await opened, { concurrency: 2 });
    await until('job_started');
    const stopping = worker.stop();
    await until('stopping');
    const [later] = server.enqueue();
    open();
    await Promise.all([stopping, ended]);
    expect(job?.state).to.equal('succeeded');
    // a claim that was waiting at the stop is repeated, and its jobs are returned
    expect(later?.endings.every((ending) => 'release' in (ending as object))).to.equal(true);
    expect(later?.state).to.equal('queued');
  });

  it('aborts and releases jobs that take longer than the grace period, even if their handlers ignore it', async () => {
    const jobs = server.enqueue(2);
    const reasons: string[] = [];
    const { worker, until } = start(
      async (job, context) => {
        const reason = await aborted(context);
        reasons.push(reason.reason);
        if (job.id === jobs[0]?.id) throw reason;
        await new Promise(() => undefined);
      },
      { concurrency: 2, graceMs: 100 },
    );
    await until('job_started', 2);
    await worker.stop();
    expect(reasons).to.deep.equal(['stopping', 'stopping']);
    expect(jobs.map(({ state, endings }) => [state, endings])).to.deep.equal(
      Array(2).fill(['queued', [{ release: true }]]),
    );
  });

  it('returns the jobs of a claim that its stop interrupts', async () => {
    server.fault = firstOf('claim', 'answer withheld');
    const [job] = server.enqueue();
    const { worker, until } = start(() => 'done', { waitMs: 30_000 });
    await server.until(() => job?.state === 'leased');
    await worker.stop();
    expect(job).to.deep.include({ state: 'queued', endings: [{ release: true }] });
    const [first, second] = server.requestsOf('claim').map(({ body }) => body);
    expect(second).to.deep.equal({ ...first, limit: 1, wait: 0 });
    expect(await until('stopped')).to.have.lengthOf(1);
  });

  it('stops even if Tasks does not respond', async () => {
    server.fault = ({ operation }) => (operation === 'settle' ? 'silence' : undefined);
    server.enqueue();
    const { worker, until } = start(() => 'done', { graceMs: 200, flushMs: 200 });
    await until('job_started');
    await worker.stop();
    expect((await until('job_dropped'))[0]).to.include({ reason: 'unanswered' });
  });

  it('rejects if it is refused at the start, and retries if it is refused later', async () => {
    server.fault = () => ({ status: 403, code: 'forbidden' });
    const refused = start(() => undefined);
    const error = await refused.ended.catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(ProblemError).and.include({ code: 'forbidden' });
    server.fault = () => undefined;
    server.enqueue();
    const { until } = start(() => undefined);
    await until('job_settled');
    server.fault = ({ operation }) => (operation === 'claim' ? { status: 403, code: 'forbidden' } : undefined);
    await until('request_failed');
    server.fault = () => undefined;
    server.enqueue();
    await until('job_settled', 2);
  });

  it('gets tokens from a function for its claims and heartbeats, and a new one after a refusal', async () => {
    let version = 1;
    server.accepts = (token) => token === `token-${version}`;
    const [job] = server.enqueue();
    const { until } = start(
      async (_, { progress }) => {
        version = 2;
        progress('after the change');
        await server.until(() => job!.progress.length > 0);
      },
      { auth: (rejected) => (rejected === 'token-1' ? 'token-2' : `token-${version}`) },
    );
    await until('job_settled');
    expect(job?.state).to.equal('succeeded');
  });

  it('gets its own tokens with a secret', async () => {
    server.accepts = (token) => token === 'token-of-client';
    const [job] = server.enqueue();
    const { until } = start(
      async (_, { progress }) => {
        progress(1);
        await server.until(() => job!.progress.length > 0);
      },
      { auth: { clientId: 'reports', credential: 'secret' } },
    );
    await until('job_settled');
    expect(job?.state).to.equal('succeeded');
  });

  it('refuses options that are out of range', () => {
    const options = { url: server.url, auth: () => 'token', queues: ['reports'], handler: () => undefined };
    for (const wrong of [
      { concurrency: 0 },
      { leaseSeconds: 10 },
      { concurrency: 1.5 },
      { queues: [] },
      { graceSeconds: -1 },
    ])
      expect(() => createWorker({ ...options, ...wrong }), JSON.stringify(wrong)).to.throw(RangeError);
    expect(() => createWorker({ ...options, url: '' })).to.throw(TypeError);
  });
});
