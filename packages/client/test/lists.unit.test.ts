import { expect } from 'chai';
import { Taskwire } from '../src/index.ts';
import { json, problem, useServer, useShortPauses } from './misbehaving-server.ts';
import { failureOf } from './failure-of.ts';

const page = (ids: string[], next: string | null) => json(200, { data: ids.map((id) => ({ id })), next_cursor: next });

describe('A list', () => {
  const server = useServer();
  useShortPauses();
  const tasks = () => new Taskwire({ baseUrl: server.url }).tasks;

  it('yields the items of all pages, with the query on each, and ends only without a next cursor', async () => {
    server.answers(page(['a', 'b'], 'c1'), page([], 'c2'), page(['c'], null));
    const ids: string[] = [];
    for await (const { id } of tasks().list({ limit: 2 })) ids.push(id);
    expect(ids).to.deep.equal(['a', 'b', 'c']);
    expect(server.requests.map(({ path }) => path.split('?')[1])).to.deep.equal([
      'limit=2',
      'limit=2&cursor=c1',
      'limit=2&cursor=c2',
    ]);
  });

  it('yields pages', async () => {
    server.answers(page(['a'], 'c1'), page(['b'], null));
    const sizes: number[] = [];
    for await (const { data } of tasks().list().pages()) sizes.push(data.length);
    expect(sizes).to.deep.equal([1, 1]);
  });

  it('is the first page when awaited', async () => {
    server.answers(page(['a'], 'c1'));
    expect(await tasks().list()).to.deep.equal({ data: [{ id: 'a' }], next_cursor: 'c1' });
    expect(server.requests).to.have.lengthOf(1);
  });

  it('requests nothing before it is used, and nothing after a break', async () => {
    server.answers(page(['a', 'b'], 'c1'));
    const list = tasks().list();
    expect(server.requests).to.have.lengthOf(0);
    for await (const { id } of list) if (id === 'a') break;
    expect(server.requests).to.have.lengthOf(1);
    for await (const { data } of list.pages()) if (data.length === 2) break;
    expect(server.requests).to.have.lengthOf(2);
  });

  it('continues after a page that failed once, and fails with the problem of a refused page', async () => {
    server.answers(page(['a'], 'c1'), problem(503, 'unavailable'), page(['b'], 'c2'), problem(400, 'bad_cursor'));
    const ids: string[] = [];
    const reading = async () => {
      for await (const { id } of tasks().list()) ids.push(id);
    };
    expect(await failureOf(reading())).to.include({ code: 'bad_cursor', operationId: 'listTasks' });
    expect(ids).to.deep.equal(['a', 'b']);
  });
});
