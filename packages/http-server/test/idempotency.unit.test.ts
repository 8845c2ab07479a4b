import { expect } from 'chai';
import { z } from 'zod';
import { defineRoute, schemas } from '@taskwire/contracts';
import { response, bind, type HttpServer, type IdempotentRequest } from '../src/index.ts';
import { quietServer } from './support/quiet-server.ts';
import { reader } from './support/reader.ts';

const rename = defineRoute({
  method: 'post',
  path: '/api/v1/things/{id}/rename',
  operationId: 'rename',
  summary: '',
  tag: '',
  access: { kind: 'user', scopes: ['tasks:read'] },
  params: schemas.idParams,
  body: z.strictObject({ title: z.string().trim(), color: z.string().default('red') }),
  idempotent: true,
  responses: { 200: z.object({ title: z.string() }) },
});
const move = defineRoute({ ...rename, path: '/api/v1/things/{id}/move', operationId: 'move' });
const [id, otherId] = ['019aa1b2-0000-7000-8000-000000000001', '019aa1b2-0000-7000-8000-000000000002'];

describe('An idempotent route', () => {
  let server: HttpServer;
  const received: (IdempotentRequest | undefined)[] = [];

  before(async () => {
    server = quietServer({
      authenticator: { authenticate: async (user = '') => reader(user) },
      routes: [rename, move].map((route) =>
        bind(route, async ({ body, idempotent }) => {
          received.push(idempotent);
          return response(200, { title: body.title }, { replayed: received.length > 1 });
        }),
      ),
    });
    await server.start();
  });
  beforeEach(() => void received.splice(0));
  after(async () => await server.stop());

  async function send(o: { path?: string; key?: string; user?: string; body?: object } = {}) {
    const { path = rename.path.replace('{id}', id), key = 'k', user = 'ann', body = { title: 'a' } } = o;
    const response = await fetch(`${server.url()}${path}`, {
      method: 'POST',
      headers: {
        ...{ authorization: user, 'content-type': 'application/json' },
        ...(key === '' ? {} : { 'idempotency-key': key }),
      },
      body: JSON.stringify(body),
    });
    expect(response.status).to.equal(200);
    return response.headers.get('idempotency-replayed');
  }

  const fingerprints = () => new Set(received.map((request) => request?.fingerprint.toString('hex')));

  it('gives the handler the key, its caller and the fingerprint of the request', async () => {
    await send({ key: '"quoted"', user: 'ann' });
    expect(received[0]).to.include({ key: 'quoted', actorId: 'ann' });
    expect(received[0]?.fingerprint).to.have.length(32);
  });

  it('gives the handler nothing without a key', async () => {
    await send({ key: '' });
    expect(received).to.deep.equal([undefined]);
  });

  it('sends Idempotency-Replayed with a replayed response, and only with one', async () => {
    expect([await send(), await send()]).to.deep.equal([null, 'true']);
  });

  it('has the same fingerprint for the same request in a different notation', async () => {
    await send({ body: { title: 'a' } });
    await send({ body: { color: 'red', title: ' a ' } });
    expect(fingerprints().size).to.equal(1);
  });

  it('has a different fingerprint for a different body, path or operation', async () => {
    await send();
    await send({ body: { title: 'b' } });
    await send({ path: rename.path.replace('{id}', otherId) });
    await send({ path: move.path.replace('{id}', id) });
    expect(fingerprints().size).to.equal(4);
  });

  it('is not bound without authentication, so that keys of different callers cannot collide', () => {
    const anonymous = defineRoute({ ...rename, access: { kind: 'anyone' } });
    const handle = async () => response(200, { title: '' }, { replayed: false });
    expect(() => bind(anonymous, handle)).to.throw('rename accepts an Idempotency-Key');
  });

  it('is not bound to a handler that does not say whether its response is replayed', () => {
    // @ts-expect-error replayed is missing
    bind(rename, async ({ body }) => response(200, { title: body.title }));
  });
});
