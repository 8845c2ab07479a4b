import { expect } from 'chai';
import { ConflictError, Taskwire } from '../src/index.ts';
import { failureOf } from './failure-of.ts';
import { cut, json, problem, useServer, useShortPauses } from './misbehaving-server.ts';

const id = '019a9d5e-71aa-7b3c-8d4e-5f6a7b8c9d0e';
const task = { id, title: 'Paint', labels: ['a'], due_at: '2026-11-28T11:00:00.000000Z', version: 4 };
const stale = problem(412, 'precondition_failed');

describe('A change whose response was lost', () => {
  const server = useServer();
  useShortPauses();
  const tasks = () => new Taskwire({ baseUrl: server.url }).tasks;
  const change = (body: object = { title: 'Paint' }) => tasks().change(id, body, { ifMatch: '"3-x"' }).withResponse();

  it('is a success when the resource has the next version and every sent field', async () => {
    server.answers(cut, stale, json(200, task, { etag: '"4-y"' }));
    expect(await change()).to.deep.include({ value: task, etag: '"4-y"', attempts: 3 });
    expect(server.requests.map(({ method, path }) => `${method} ${path}`)).to.deep.equal([
      `PATCH /api/v1/tasks/${id}`,
      `PATCH /api/v1/tasks/${id}`,
      `GET /api/v1/tasks/${id}`,
    ]);
  });

  it('compares text and times as the services store them', async () => {
    server.answers(cut, stale, json(200, task));
    const { value } = await change({ title: ' Paint ', labels: ['a'], due_at: '2026-11-28T12:00:00+01:00' });
    expect(value.version).to.equal(4);
  });

  it('is read past the cache of the browser, which may hold the fragment of a lost response', async () => {
    server.answers(cut, stale, json(200, task));
    const caches: unknown[] = [];
    const { tasks } = new Taskwire({
      baseUrl: server.url,
      fetch: async (url, init) => {
        caches.push(init.cache);
        return await fetch(url, init);
      },
    });
    await tasks.change(id, { title: 'Paint' }, { ifMatch: '"3-x"' });
    expect(caches).to.deep.equal(['no-store', 'no-store', 'no-store']);
  });

  it('is detected even if the responses to the repetition and to the first read are lost too', async () => {
    server.answers(cut, cut, stale, cut, json(200, task));
    expect((await change()).value.version).to.equal(4);
  });

  for (const [name, found] of Object.entries({
    'has a later version': json(200, { ...task, version: 5 }),
    'has another value in a sent field': json(200, { ...task, title: 'Someone else' }),
    'has another label': json(200, { ...task, labels: ['a', 'b'] }),
    'cannot be read': cut,
    'is gone': problem(404, 'not_found'),
  })) {
    it(`is a conflict with an unknown outcome when the resource ${name}`, async () => {
      server.answers(cut, stale, found);
      const error = await failureOf(change({ title: 'Paint', labels: ['a'] }));
      expect(error).to.be.instanceOf(ConflictError).and.include({ outcome: 'unknown', code: 'precondition_failed' });
    });
  }

  it('is a plain conflict, without another read, when no response was lost', async () => {
    server.answers(stale);
    expect(await failureOf(change()))
      .to.be.instanceOf(ConflictError)
      .and.include({ outcome: 'not_applied', attempts: 1 });
    server.answers(problem(429, 'rate_limited'), stale);
    expect(await failureOf(change())).to.include({ outcome: 'not_applied', attempts: 2 });
    expect(server.requests.filter(({ method }) => method === 'GET')).to.have.lengthOf(0);
  });
});

describe('A deletion whose response was lost', () => {
  const server = useServer();
  useShortPauses();
  const remove = () => new Taskwire({ baseUrl: server.url }).tasks.delete(id, { ifMatch: 3 }).withResponse();

  for (const [status, code] of [
    [404, 'not_found'],
    [410, 'gone'],
  ] as const) {
    it(`is a success when its repetition gets ${status}`, async () => {
      server.answers(cut, problem(status, code));
      expect(await remove()).to.include({ value: undefined, attempts: 2 });
    });

    it(`fails when its first attempt gets ${status}, or follows an attempt that was refused unread`, async () => {
      server.answers(problem(status, code));
      expect(await failureOf(remove())).to.include({ status, attempts: 1 });
      server.answers(problem(429, 'rate_limited'), problem(status, code));
      expect(await failureOf(remove())).to.include({ status, attempts: 2 });
    });
  }
});
