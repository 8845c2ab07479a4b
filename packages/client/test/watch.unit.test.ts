import { expect } from 'chai';
import { Taskwire } from '../src/index.ts';
import { failureOf } from './failure-of.ts';
import {
  cut,
  json,
  problem,
  silence,
  useServer,
  usePauses,
  useShortPauses,
  type Handler,
} from './misbehaving-server.ts';

const job = (rows: number, etag: string, settled_at: string | null = null): Handler =>
  json(200, { id: 'j1', progress: { rows }, settled_at }, { etag });
const unchanged: Handler = (_, response) => response.writeHead(304).end();

describe('A job that is watched', () => {
  const server = useServer();
  useShortPauses();
  const watch = (options = {}) => new Taskwire({ baseUrl: server.url }).jobs.watch('j1', options);

  async function rowsOf(watched: AsyncIterable<{ progress: unknown }>): Promise<unknown[]> {
    const rows: unknown[] = [];
    for await (const { progress } of watched) rows.push((progress as { rows: number }).rows);
    return rows;
  }

  it('is yielded at once, and with each newer representation until it has ended', async () => {
    server.answers(job(1, '"a"'), job(2, '"b"'), unchanged, job(3, '"c"', '2026-11-30T12:00:00Z'));
    expect(await rowsOf(watch())).to.deep.equal([1, 2, 3]);
    const asked = server.requests.map(({ path, headers }) => [path, headers['if-none-match']]);
    expect(asked).to.deep.equal([
      ['/api/v1/jobs/j1', undefined],
      ['/api/v1/jobs/j1?wait=25', '"a"'],
      ['/api/v1/jobs/j1?wait=25', '"b"'],
      ['/api/v1/jobs/j1?wait=25', '"b"'],
    ]);
  });

  it('is waited for within the time limit of an attempt', async () => {
    for (const [timeoutMs, wait] of [
      [60_000, 25],
      [12_500, 7],
      [3_000, 1],
    ]) {
      server.answers(job(1, '"a"'), job(2, '"b"', '2026-11-30T12:00:00Z'));
      expect(await rowsOf(watch({ timeoutMs }))).to.deep.equal([1, 2]);
      expect(server.requests.at(-1)?.path, `${timeoutMs} ms`).to.equal(`/api/v1/jobs/j1?wait=${wait}`);
    }
  });

  it('is watched further after lost connections and responses that mean "not now"', async () => {
    const later = { 'retry-after': '0' };
    server.answers(
      ...[job(1, '"a"'), cut, problem(503, 'unavailable', later), unchanged],
      ...[problem(429, 'rate_limited', later), cut, job(2, '"b"', '2026-11-30T12:00:00Z')],
    );
    expect(await rowsOf(watch())).to.deep.equal([1, 2]);
    expect(server.requests.slice(1).map(({ headers }) => headers['if-none-match'])).to.deep.equal(Array(6).fill('"a"'));
  });

  it('is requested only when it is used, and no longer when the signal is aborted', async () => {
    const control = new AbortController();
    server.answers(job(1, '"a"'), silence);
    const watched = watch({ signal: control.signal });
    expect(server.requests).to.have.lengthOf(0);
    expect((await watched.next()).value).to.deep.include({ progress: { rows: 1 } });
    const next = watched.next();
    control.abort(new Error('enough'));
    expect(await failureOf(next)).to.include({ message: 'enough' });
  });

  it('ends with the problem when it may no longer be read, and with an error without an ETag', async () => {
    server.answers(job(1, '"a"'), problem(404, 'not_found'));
    expect(await failureOf(rowsOf(watch()))).to.include({ code: 'not_found', operationId: 'getJob' });
    server.answers(json(200, { id: 'j1', progress: { rows: 1 }, settled_at: null }));
    expect(await failureOf(rowsOf(watch())))
      .to.have.property('message')
      .that.includes('no ETag');
  });
});

describe('A job that is watched while its service is about to stop, and no request waits', () => {
  const server = useServer();
  // 0.2 s of at most a second
  usePauses(0.2);

  it('is requested with pauses', async () => {
    const control = new AbortController();
    const enough: Handler = () => control.abort(new Error('enough'));
    server.answers(job(1, '"a"'), unchanged, unchanged, enough);
    const watched = new Taskwire({ baseUrl: server.url }).jobs.watch('j1', { signal: control.signal });
    await watched.next();
    expect(await failureOf(watched.next())).to.include({ message: 'enough' });
    const [, first = 0, second = 0, third = 0] = server.requests.map(({ at }) => at);
    expect(second - first).to.be.at.least(195);
    expect(third - second).to.be.at.least(195);
  });

  it('is given up at once when the signal is aborted during a pause', async () => {
    const control = new AbortController();
    server.answers(job(1, '"a"'), (request, response) => {
      unchanged(request, response);
      setTimeout(() => control.abort(new Error('enough')), 20);
    });
    const watched = new Taskwire({ baseUrl: server.url }).jobs.watch('j1', { signal: control.signal });
    await watched.next();
    expect(await failureOf(watched.next())).to.include({ message: 'enough' });
    expect(server.requests).to.have.lengthOf(2);
  });
});
