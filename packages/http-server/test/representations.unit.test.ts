import { expect } from 'chai';
import { z } from 'zod';
import { defineRoute, jsonText, schemas } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import { response, bind, PreserializedJson, type HttpServer } from '../src/index.ts';
import { quietServer } from './support/quiet-server.ts';
import { reader } from './support/reader.ts';

const userId = '019aa1b2-0000-7000-8000-000000000001';
const otherId = '019aa1b2-0000-7000-8000-000000000004';

const thing = z.object({ id: z.string(), title: z.string() });
const described = { summary: '', tag: '' };
const forReaders = { kind: 'user', scopes: ['tasks:read'] } as const;

const routes = {
  read: defineRoute({
    ...described,
    method: 'get',
    path: '/api/v1/things/{id}',
    operationId: 'read',
    access: forReaders,
    params: schemas.idParams,
    responses: { 200: thing },
    etag: true,
    storable: true,
  }),
  me: defineRoute({
    ...described,
    method: 'get',
    path: '/api/v1/things/me',
    operationId: 'me',
    access: forReaders,
    responses: { 200: thing },
    etag: true,
  }),
  first: defineRoute({
    ...described,
    method: 'get',
    path: '/api/v1/things/first',
    operationId: 'first',
    access: { kind: 'user', scopes: ['admin'], roles: ['admin'] },
    responses: { 200: thing },
  }),
  change: defineRoute({
    ...described,
    method: 'patch',
    path: '/api/v1/things/{id}',
    operationId: 'change',
    access: forReaders,
    params: schemas.idParams,
    body: z.strictObject({ title: z.string() }),
    ifMatch: 'required',
    responses: { 200: z.object({ ifMatch: z.unknown() }) },
  }),
  internal: defineRoute({
    ...described,
    method: 'get',
    path: '/things/{id}',
    operationId: 'internal',
    access: { kind: 'service', scope: 'tasks:read' },
    params: schemas.idParams,
    responses: { 200: thing },
  }),
  broken: defineRoute({
    ...described,
    method: 'get',
    path: '/api/v1/broken',
    operationId: 'broken',
    access: { kind: 'anyone' },
    responses: { 204: null },
  }),
  old: defineRoute({
    ...described,
    method: 'get',
    path: '/api/v1/old',
    operationId: 'old',
    access: { kind: 'anyone' },
    deprecated: { since: '2027-01-01', sunset: '2027-05-01' },
    responses: { 204: null },
  }),
  limited: defineRoute({
    ...described,
    method: 'get',
    path: '/api/v1/limited',
    operationId: 'limited',
    access: { kind: 'anyone' },
    responses: { 204: null },
  }),
};

describe('The HTTP server', () => {
  let server: HttpServer;
  let title = 'x';

  before(async () => {
    server = quietServer({
      authenticator: {
        // in these tests, the token is the id of its user
        async authenticate(id = '') {
          if (id === 'forged') throw problem('unauthenticated');
          return reader(id);
        },
      },
      routes: [
        bind(routes.read, async ({ params }) => response(200, { id: params.id, title }, { etag: 7 })),
        bind(routes.me, async ({ actor }) =>
          response(
            200,
            new PreserializedJson(
              routes.me.responses[200],
              jsonText(routes.me.responses[200], { id: actor.id, title }),
            ),
            { etag: 1 },
          ),
        ),
        bind(routes.first, async ({ actor }) => response(200, { id: actor.id, title: 'first' })),
        bind(routes.change, async ({ ifMatch }) => response(200, { ifMatch })),
        bind(routes.internal, async ({ actor }) => response(200, { id: actor.clientId, title: 'internal' })),
        bind(routes.broken, async () => {
          throw new Error('the inside of the service');
        }),
        bind(routes.old, async () => response(204)),
        bind(routes.limited, async () => {
          throw problem('rate_limited', 'Slow down.');
        }),
      ],
    });
    await server.start();
  });

  after(async () => await server.stop());

  async function call(path: string, init: RequestInit & { token?: string } = {}) {
    const { token = userId, ...rest } = init;
    const headers = new Headers(rest.headers);
    headers.set('authorization', token);
    const response = await fetch(`${server.url()}${path}`, { ...rest, headers });
    const body = await response.text();
    return { status: response.status, headers: response.headers, body: body === '' ? undefined : JSON.parse(body) };
  }

  it('announces when a deprecated operation may be removed', async () => {
    const { headers } = await call('/api/v1/old');
    expect(headers.get('deprecation')).to.equal('@1798761600');
    expect(headers.get('sunset')).to.equal('Sat, 01 May 2027 00:00:00 GMT');
    expect((await call('/api/v1/things/me')).headers.has('sunset')).to.equal(false);
  });

  describe('with entity tags', () => {
    const path = `/api/v1/things/${userId}`;
    const change = async (ifMatch?: string) =>
      await call(path, {
        method: 'PATCH',
        body: '{"title":"b"}',
        headers: { 'content-type': 'application/json', ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }) },
      });

    it('requires If-Match where the contract does', async () => expect((await change()).status).to.equal(428));
    it('rejects an If-Match that is not an entity tag', async () =>
      expect((await change('7')).body.code).to.equal('bad_etag'));
    it('parses a list of tags, and ignores weak ones', async () =>
      expect((await change('"7", W/"8", "x", "9-abc", "10-"')).body.ifMatch).to.deep.equal({
        epoch: 1,
        versions: [7, 9],
      }));
    it('accepts *', async () => expect((await change('*')).body.ifMatch).to.deep.equal({ epoch: 1, versions: 'any' }));
    it('parses the version in a tag that it sent', async () => {
      const tag = (await call(path)).headers.get('etag') ?? '';
      expect((await change(tag)).body.ifMatch).to.deep.equal({ epoch: 1, versions: [7] });
    });

    it('responds with 304 if the caller has the representation, even one compressed by a proxy', async () => {
      const tag = (await call(path)).headers.get('etag') ?? '';
      for (const known of [tag, `W/${tag}`, `"x", ${tag}`, '*']) {
        const answer = await call(path, { headers: { 'if-none-match': known } });
        expect([answer.status, answer.headers.get('etag'), answer.body], known).to.deep.equal([304, tag, undefined]);
      }
    });
    it('sends the whole representation if anything in it has changed, although the version is the same', async () => {
      const tag = (await call(path)).headers.get('etag') ?? '';
      title = 'y';
      const answer = await call(path, { headers: { 'if-none-match': `${tag}, "7"` } });
      expect([answer.status, answer.body.title]).to.deep.equal([200, 'y']);
    });
    it('sends the whole representation to another caller if it depends on the caller', async () => {
      const mine = await call('/api/v1/things/me');
      const headers = { 'if-none-match': mine.headers.get('etag') ?? '' };
      const theirs = await call('/api/v1/things/me', { token: otherId, headers });
      expect([theirs.status, theirs.body.id]).to.deep.equal([200, otherId]);
      expect((await call('/api/v1/things/me', { headers })).status).to.equal(304);
    });
  });

  describe('with caches', () => {
    it('allows caches to store only responses that the contract marks as storable, and requires their revalidation', async () => {
      const cacheControl = async (path: string) => (await call(path)).headers.get('cache-control');
      expect(await cacheControl(`/api/v1/things/${userId}`)).to.equal('private, no-cache');
      expect(await cacheControl('/api/v1/things/me')).to.equal('no-store');
      expect(await cacheControl('/api/v1/things/first')).to.equal('no-store');
      expect(await cacheControl('/api/v1/limited')).to.equal('no-store');
    });

    it('sends Vary: Authorization wherever the response depends on the token, including errors and 304', async () => {
      const vary = async (path: string, headers: Record<string, string> = {}, bearer?: string) => {
        const answer = await call(path, { headers, ...(bearer === undefined ? {} : { token: bearer }) });
        return [answer.status, answer.headers.get('vary')];
      };
      const known = { 'if-none-match': '*' };
      expect(await vary('/api/v1/things/me')).to.deep.equal([200, 'Authorization']);
      expect(await vary('/api/v1/things/me', known)).to.deep.equal([304, 'Authorization']);
      expect(await vary('/api/v1/things/first')).to.deep.equal([403, 'Authorization']);
      expect(await vary('/api/v1/things/x')).to.deep.equal([422, 'Authorization']);
      expect(await vary(`/things/${userId}`)).to.deep.equal([403, 'Authorization']);
      expect(await vary('/api/v1/things/me', {}, 'forged')).to.deep.equal([401, 'Authorization']);
      expect(await vary('/api/v1/broken')).to.deep.equal([500, null]);
    });
  });
});
