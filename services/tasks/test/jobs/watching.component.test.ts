import { setImmediate as turn } from 'node:timers/promises';
import { waitFor } from '@taskwire/testing';
import { expect } from 'chai';
import { lookAtWatched } from '../../src/app/jobs/watchers.ts';
import { codeOf, type Answer } from '../support/api.ts';
import { jobsHarness, type Claimed, type Job, type JobClient, type JobsHarness } from '../support/jobs-harness.ts';

describe('A job that is read conditionally', () => {
  let harness: JobsHarness;
  let client: JobClient;
  let elsewhere: JobClient;

  before(async () => {
    harness = await jobsHarness();
    client = await harness.client();
    const replica = await harness.replica({ PROCESS_ROLE: 'api' });
    elsewhere = await harness.client({ queue: client.queue, url: replica.http.url() });
  });
  after(async () => await harness.stop());

  const get = async (id: string, known?: string, query: Record<string, string> = {}, by = client) =>
    await by.call('getJob', undefined, {
      params: { id },
      query,
      headers: known === undefined ? {} : { 'if-none-match': known },
    });
  const tagOf = ({ headers }: Answer) => headers.get('etag') ?? expect.fail('there is no ETag');
  const waitingAre = async (count: number) =>
    await waitFor(async () => harness.service.watchers.watched().length === count, { what: `${count} to wait` });
  const report = async ({ lease_token }: Claimed, progress: object, by = client) =>
    await by.call('heartbeatJobs', { leases: [{ lease_token, progress }] });

  async function leased(): Promise<{ job: Claimed; tag: string }> {
    await client.enqueue();
    const [job] = await client.claim();
    return { job: job!, tag: tagOf(await get(job!.id)) };
  }

  /** Starts a request for another representation; resolves with its future answer once it waits. */
  async function watch(id: string, tag: string, token?: string): Promise<{ answer: Promise<Answer> }> {
    const answer =
      token === undefined
        ? get(id, tag, { wait: '25' })
        : harness.call('getJob', { token, params: { id }, query: { wait: '25' }, headers: { 'if-none-match': tag } });
    await waitingAre(1);
    return { answer };
  }

  it('has a tag that changes with what its readers see, and with nothing else', async () => {
    const { id } = await client.enqueue();
    const tags = [tagOf(await get(id))];
    const [job] = await client.claim();
    tags.push(tagOf(await get(id)));
    await client.beat(job!);
    expect((await get(id, tags[1])).status).to.equal(304);
    expect((await get(id, `W/${tags[1]}, "other"`)).status).to.equal(304);
    await report(job!, { done: 1 });
    tags.push(tagOf(await get(id, tags[1])));
    await report(job!, { done: 1 });
    expect((await get(id, tags[2])).status).to.equal(304);
    await client.call('cancelJob', undefined, { params: { id } });
    tags.push(tagOf(await get(id)));
    await client.settle('complete', job!);
    tags.push(tagOf(await get(id)));
    expect(new Set(tags).size).to.equal(5);
  });

  for (const [where, by] of [
    ['the same process', () => client],
    ['another process', () => elsewhere],
  ] as const) {
    it(`is returned with its latest progress when a worker reports it to ${where}`, async () => {
      const { job, tag } = await leased();
      const { answer } = await watch(job.id, tag);
      const startedAt = performance.now();
      await report(job, { done: 40 }, by());
      const { status, body, headers } = await answer;
      expect(performance.now() - startedAt).to.be.below(10_000);
      expect([status, (body as Job).progress]).to.deep.equal([200, { done: 40 }]);
      expect(headers.get('etag')).not.to.equal(tag);
    });
  }

  it('wakes its readers at once when this process claims, cancels or settles it, or gets its progress', async () => {
    const { id } = await client.enqueue();
    const watcher = harness.service.watchers.join(id);
    // a wake-up before the wait ends it without a turn of the event loop
    const wasWoken = async () => {
      const gone = new AbortController();
      const woken = watcher.next('', 25_000, gone.signal).then(() => !gone.signal.aborted);
      await turn();
      gone.abort();
      return await woken;
    };
    expect(await wasWoken()).to.equal(false);
    const [job] = await client.claim();
    expect(await wasWoken(), 'claimed').to.equal(true);
    await client.beat(job!);
    expect(await wasWoken(), 'extended').to.equal(false);
    await report(job!, { done: 1 });
    expect(await wasWoken(), 'progress').to.equal(true);
    await client.call('cancelJob', undefined, { params: { id } });
    expect(await wasWoken(), 'cancelled').to.equal(true);
    await client.settle('complete', job!);
    expect(await wasWoken(), 'settled').to.equal(true);
    watcher.leave();
  });

  it('is 304 when the time is over, although its lease was extended during the wait', async () => {
    const { job, tag } = await leased();
    const startedAt = performance.now();
    const answer = get(job.id, tag, { wait: '1' });
    await client.beat(job);
    const { status, headers, body } = await answer;
    expect([status, headers.get('etag'), body]).to.deep.equal([304, tag, undefined]);
    expect(performance.now() - startedAt).to.be.above(990);
  });

  it('is returned at once without a tag, with another tag, and when it has ended', async () => {
    const { job, tag } = await leased();
    expect((await get(job.id, undefined, { wait: '25' })).status).to.equal(200);
    expect((await get(job.id, '"other"', { wait: '25' })).status).to.equal(200);
    const { answer } = await watch(job.id, tag);
    await client.settle('complete', job, { result: { rows: 3 } });
    const ended = await answer;
    expect(ended.body).to.deep.include({ state: 'succeeded', result: { rows: 3 } });
    const startedAt = performance.now();
    expect((await get(job.id, tagOf(ended), { wait: '25' })).status).to.equal(304);
    expect(performance.now() - startedAt).to.be.below(10_000);
  });

  it('is not returned to a reader who was demoted or deleted during the wait, or when it was removed', async () => {
    const { job, tag } = await leased();
    for (const [change, refusal] of [
      ['member', [403, 'forbidden']],
      ['deleted', [401, 'access_revoked']],
    ] as const) {
      const eve = await harness.join('Eve', 'manager');
      const { answer } = await watch(job.id, tag, eve.token);
      await harness.become(eve, change);
      await report(job, { for: change });
      const given = await answer;
      expect([given.status, codeOf(given)], change).to.deep.equal(refusal);
      await harness.sql('UPDATE jobs SET progress = NULL WHERE id = $1', [job.id]);
    }
    const { answer } = await watch(job.id, tag);
    await harness.sql('DELETE FROM jobs WHERE id = $1', [job.id]);
    expect(codeOf(await answer)).to.equal('not_found');
  });

  it('is no longer looked at when its reader has hung up', async () => {
    const { job, tag } = await leased();
    const gone = new AbortController();
    const url = `${harness.service.http.url()}/api/v1/jobs/${job.id}?wait=25`;
    const headers = { authorization: `Bearer ${client.token}`, 'if-none-match': tag };
    const lost = fetch(url, { headers, signal: gone.signal }).catch(() => 'closed');
    await waitingAre(1);
    gone.abort();
    expect(await lost).to.equal('closed');
    await waitingAre(0);
  });

  it('costs no look at the database while no request waits, and one for all readers', async () => {
    const { watchers, jobs } = harness.service;
    const looks: (readonly string[])[] = [];
    const counting = {
      readMarks: async (ids: readonly string[]) => {
        looks.push(ids);
        return await jobs.readMarks(ids);
      },
    };
    await lookAtWatched({ jobs: counting, watchers });
    expect(looks).to.deep.equal([]);
    const made = [await leased(), await leased()];
    const answers = [...made, made[0]!].map(async ({ job, tag }) => await get(job.id, tag, { wait: '25' }));
    await waitingAre(2);
    await lookAtWatched({ jobs: counting, watchers });
    expect(looks.map((ids) => ids.toSorted())).to.deep.equal([made.map(({ job }) => job.id).toSorted()]);
    for (const { job } of made) await client.settle('complete', job);
    expect((await Promise.all(answers)).map(({ status }) => status)).to.deep.equal([200, 200, 200]);
  });

  it('is 304 at once when the process stops', async () => {
    const stopping = await harness.replica({ PROCESS_ROLE: 'api' });
    const reader = await harness.client({ queue: client.queue, url: stopping.http.url() });
    const { job, tag } = await leased();
    const answer = get(job.id, tag, { wait: '25' }, reader);
    await waitFor(async () => stopping.watchers.watched().length === 1);
    const startedAt = performance.now();
    stopping.watchers.close();
    expect((await answer).status).to.equal(304);
    expect((await get(job.id, tag, { wait: '25' }, reader)).status).to.equal(304);
    expect(performance.now() - startedAt).to.be.below(10_000);
  });
});
