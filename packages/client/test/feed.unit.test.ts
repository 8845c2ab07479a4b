import { expect } from 'chai';
import { Taskwire } from '../src/index.ts';
import { json, problem, usePauses, useServer, useShortPauses } from './misbehaving-server.ts';
import { failureOf } from './failure-of.ts';

const page = (ids: string[], token: string, more: boolean) =>
  json(200, { data: ids.map((id) => ({ id })), next_token: token, more, as_of: '2026-11-29T12:00:00.000000Z' });

describe('A feed', () => {
  const server = useServer();
  useShortPauses();
  const sync = () => new Taskwire({ baseUrl: server.url }).sync;
  const queries = () => server.requests.map(({ path }) => path.split('?')[1]);

  it('yields page after page, and waits for changes only after the last one', async () => {
    server.answers(page(['a'], 't1', true), page(['b'], 't2', false), page([], 't3', false), page(['a'], 't4', false));
    const ids: string[] = [];
    for await (const { data, next_token } of sync().tasks({ limit: 1 })) {
      ids.push(...data.map(({ id }) => id));
      if (next_token === 't4') break;
    }
    expect(ids).to.deep.equal(['a', 'b', 'a']);
    expect(queries()).to.deep.equal([
      'limit=1',
      'limit=1&token=t1',
      'limit=1&token=t2&wait=25',
      'limit=1&token=t3&wait=25',
    ]);
  });

  it('waits for changes within the time limit of an attempt', async () => {
    server.answers(page(['a'], 't1', false), page(['b'], 't2', false));
    const feed = new Taskwire({ baseUrl: server.url, timeoutMs: 10_000 }).sync.tasks();
    for await (const { next_token } of feed) if (next_token === 't2') break;
    expect(queries()).to.deep.equal([undefined, 'token=t1&wait=5']);
  });

  it('is one page when awaited, and requests nothing before', async () => {
    server.answers(page(['a'], 't9', false));
    const feed = sync().people({ token: 't8' });
    expect(server.requests).to.have.lengthOf(0);
    expect(await feed).to.include({ next_token: 't9', more: false });
    expect(queries()).to.deep.equal(['token=t8']);
  });

  it('continues after a page that failed once, and fails when the token has expired', async () => {
    server.answers(
      page(['a'], 't1', false),
      problem(503, 'unavailable'),
      page(['b'], 't2', false),
      problem(410, 'sync_token_expired'),
    );
    const ids: string[] = [];
    const following = async () => {
      for await (const { data } of sync().tasks()) ids.push(...data.map(({ id }) => id));
    };
    expect(await failureOf(following())).to.include({ code: 'sync_token_expired', operationId: 'syncTasks' });
    expect(ids).to.deep.equal(['a', 'b']);
  });
});

describe('A feed whose service is about to stop, so that no request waits', () => {
  const server = useServer();
  // 0.2 s of at most a second
  usePauses(0.2);

  it('is requested with pauses', async () => {
    server.answers(page(['a'], 't1', false), page(['b'], 't2', false), page([], 't3', false), page([], 't4', false));
    for await (const { next_token } of new Taskwire({ baseUrl: server.url }).sync.tasks()) {
      if (next_token === 't4' && server.requests.length === 5) break;
    }
    const times = server.requests.map(({ at }) => at);
    const [, , third = 0, fourth = 0, fifth = 0] = times;
    expect(fourth - third).to.be.at.least(195);
    expect(fifth - fourth).to.be.at.least(195);
    expect(times).to.have.lengthOf(5);
  });
});
