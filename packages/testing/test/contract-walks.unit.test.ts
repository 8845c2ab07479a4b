import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { defineRoute, schemas } from '@taskwire/contracts';
import { expect } from 'chai';
import { z } from 'zod';
import { walkAsStranger, walkFilters, walkReplays } from '../src/index.ts';

const thing = z.object({ id: z.string() });
const usual = { summary: '', tag: '', access: { kind: 'user', scopes: ['tasks:read'] } } as const;
const routes = {
  list: defineRoute({
    ...{ ...usual, method: 'get', path: '/things', operationId: 'list' },
    query: z.strictObject({ ...schemas.page, color: z.string().optional() }),
    responses: { 200: schemas.listOf(thing) },
  }),
  make: defineRoute({
    ...{ ...usual, method: 'post', path: '/things', operationId: 'make', idempotent: true },
    body: z.strictObject({}),
    responses: { 201: thing },
  }),
  paint: defineRoute({
    ...{ ...usual, method: 'post', path: '/things/{id}/paint', operationId: 'paint' },
    access: { ...usual.access, objects: { red: ['everyone'], green: ['creator'], blue: ['creator'] } },
    params: schemas.idParams,
    body: z.strictObject({ color: z.string() }),
    responses: { 204: null },
  }),
  drop: defineRoute({
    ...{ ...usual, method: 'delete', path: '/things/{id}', operationId: 'drop' },
    params: schemas.idParams,
    responses: { 204: null },
  }),
};

type Thing = { id: string; color: string };
type Reply = { status: number; body?: unknown; headers?: Record<string, string> };
type Mistake =
  | 'ignores the filter'
  | 'ignores the cursor'
  | 'ignores the key'
  | 'writes on replay'
  | 'lets strangers drop'
  | 'lets strangers paint'
  | 'shows strangers everything';

describe('Walks through a contract', () => {
  let server: Server;
  let things: Thing[];
  let made: Map<string, Thing>;
  let mistake: Mistake | undefined;

  before(async () => {
    server = createServer((request, response) => {
      const { status, body, headers } = reply(
        request,
        request.headers.authorization === 'Bearer stranger' ? 'stranger' : 'owner',
      );
      response.writeHead(status, headers).end(body === undefined ? '' : JSON.stringify(body));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  beforeEach(() => {
    [mistake, made] = [undefined, new Map()];
    things = [
      { id: 'a', color: 'red' },
      { id: 'b', color: 'green' },
    ];
  });
  after(() => server.close());

  function reply({ method, url = '/', headers }: IncomingMessage, caller: 'owner' | 'stranger'): Reply {
    const { pathname, searchParams } = new URL(url, 'http://test');
    if (pathname.endsWith('/paint')) return { status: mistake === 'lets strangers paint' ? 204 : 403 };
    if (method === 'POST') return make(String(headers['idempotency-key']));
    if (method === 'GET') return list(searchParams, caller);
    if (caller === 'stranger' && mistake !== 'lets strangers drop') return { status: 403 };
    things = things.filter(({ id }) => !pathname.endsWith(`/${id}`));
    return { status: 204 };
  }

  function make(key: string): Reply {
    const known = mistake === 'ignores the key' ? undefined : made.get(key);
    const one = known ?? { id: `made ${things.length}`, color: 'blue' };
    if (known === undefined || mistake === 'writes on replay') things.push(one);
    made.set(key, one);
    return { status: 201, body: one, headers: known === undefined ? {} : { 'idempotency-replayed': 'true' } };
  }

  function list(search: URLSearchParams, caller: 'owner' | 'stranger'): Reply {
    const color = mistake === 'ignores the filter' ? null : search.get('color');
    const visible = caller === 'stranger' && mistake !== 'shows strangers everything' ? [] : things;
    const found = visible.filter((one) => color === null || one.color === color);
    const from = mistake === 'ignores the cursor' ? 0 : Number(search.get('cursor') ?? 0);
    const until = from + Number(search.get('limit') ?? 20);
    const next_cursor = until < found.length ? String(until) : null;
    return { status: 200, body: { data: found.slice(from, until), next_cursor } };
  }

  const baseUrl = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const snapshot = async () => things;
  const filters = async (values: Record<string, string[]> = { color: ['red', 'green'] }) =>
    await walkFilters({ baseUrl: baseUrl(), routes, tokenOf: async () => 'owner', values: { list: values } });
  const replays = async () => {
    const prepare = { make: async () => ({ token: 'owner', body: {} }) };
    return await walkReplays({ baseUrl: baseUrl(), routes, snapshot, prepare });
  };
  const strangers = async (names: readonly (keyof typeof routes)[] = ['list', 'drop'], more = {}) =>
    await walkAsStranger({
      ...{ baseUrl: baseUrl(), snapshot, tokenOf: async () => 'stranger', secrets: ['"a"'] },
      routes: Object.fromEntries(names.map((name) => [name, routes[name]])),
      requests: {
        drop: { params: { id: 'a' } },
        make: { body: {} },
        'paint green': { params: { id: 'a' }, body: { color: 'green' } },
        ...more,
      },
    });

  it('find no fault with a server that keeps its contract', async () => {
    expect(await filters()).to.deep.equal({ parameters: 3, faults: [] });
    expect(await replays()).to.deep.equal({ operations: 1, faults: [] });
    expect(await strangers()).to.deep.equal({ operations: 2, faults: [] });
  });

  it('find a filter that is accepted but not applied', async () => {
    mistake = 'ignores the filter';
    const faults = ['red', 'green'].map((color) => `list: color=${color} is accepted but not applied`);
    expect((await filters()).faults).to.deep.equal(faults);
  });

  it('find a cursor that is not applied', async () => {
    mistake = 'ignores the cursor';
    expect((await filters()).faults).to.deep.equal(['list: cursor is not applied']);
  });

  it('find a parameter of the contract for which a test has no value', async () => {
    expect((await filters({})).faults).to.deep.equal(['list: no value of color is prepared']);
  });

  it('find a handler that ignores the Idempotency-Key', async () => {
    mistake = 'ignores the key';
    const { faults } = await replays();
    expect(faults).to.include('make: the second response is not marked as replayed');
    expect(faults).to.include('make: the responses differ');
  });

  it('find a handler that replays the response and writes again', async () => {
    mistake = 'writes on replay';
    expect((await replays()).faults).to.deep.equal(['make: the second request wrote something']);
  });

  it('find an idempotent operation for which a test has no request', async () => {
    const { faults } = await walkReplays({ baseUrl: baseUrl(), routes, snapshot, prepare: {} });
    expect(faults).to.deep.equal(['make: no request is prepared']);
  });

  it("find an operation that a stranger may apply to another user's object", async () => {
    mistake = 'lets strangers drop';
    expect((await strangers()).faults).to.include('drop: responded with 204 to a stranger: ');
  });

  it('call each case of a rule that is closed to strangers, and find the one that is open or has no request', async () => {
    mistake = 'lets strangers paint';
    const faults = ['paint green: responded with 204 to a stranger: ', 'paint blue: no request is prepared'];
    expect(await strangers(['paint'])).to.deep.equal({ operations: 2, faults });
    mistake = undefined;
    const blue = { 'paint blue': { params: { id: 'a' }, body: { color: 'blue' } } };
    expect(await strangers(['paint'], blue)).to.deep.equal({ operations: 2, faults: [] });
  });

  it("find an operation by which a stranger changes another user's objects without naming one", async () => {
    expect((await strangers(['make'])).faults).to.deep.equal(['make: changed an object of another user']);
  });

  it("find a list that shows a stranger another user's objects", async () => {
    mistake = 'shows strangers everything';
    expect((await strangers()).faults[0]).to.match(/^list: exposed to a stranger/);
  });
});
