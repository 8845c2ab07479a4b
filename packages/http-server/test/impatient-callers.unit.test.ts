import { expect } from 'chai';
import { z } from 'zod';
import { defineRoute } from '@taskwire/contracts';
import { response, bind, type HttpServer } from '../src/index.ts';
import { quietServer } from './support/quiet-server.ts';
import { reader } from './support/reader.ts';

const route = defineRoute({
  method: 'get',
  path: '/api/v1/things',
  operationId: 'read',
  summary: '',
  tag: '',
  access: { kind: 'user', scopes: ['tasks:read'] },
  responses: { 200: z.object({ caller: z.string() }) },
});

describe('A request whose caller stops waiting', () => {
  let server: HttpServer;
  /** The number of callers with the token `held` whose authentication is waiting for `letIn`. */
  let held = 0;
  const letIn = Promise.withResolvers<void>();
  const served: string[] = [];

  before(async () => {
    server = quietServer({
      authenticator: {
        async authenticate(id = '') {
          if (id === 'held') {
            held += 1;
            await letIn.promise;
          }
          return reader(id);
        },
      },
      routes: [
        bind(route, async ({ actor }) => {
          served.push(actor.id);
          return response(200, { caller: actor.id });
        }),
      ],
    });
    await server.start();
  });
  after(async () => await server.stop());

  async function call(caller: string, o: { waitsMs?: string; signal?: AbortSignal } = {}) {
    const response = await fetch(`${server.url()}${route.path}`, {
      headers: { authorization: caller, ...(o.waitsMs === undefined ? {} : { 'x-timeout-ms': o.waitsMs }) },
      ...(o.signal === undefined ? {} : { signal: o.signal }),
    });
    return { status: response.status, body: (await response.json()) as { code?: string; detail?: string } };
  }

  const metrics = async () => await (await fetch(`${server.url()}/metrics`)).text();

  for (const value of ['0', '-1', '1.5', 'soon', '', '99999999999']) {
    it(`is rejected with a description of the valid values if X-Timeout-Ms is ${value || 'empty'}`, async () => {
      const { status, body } = await call('ann', { waitsMs: value });
      expect([status, body.code]).to.deep.equal([400, 'bad_request']);
      expect(body.detail).to.contain('X-Timeout-Ms must be a whole number of milliseconds');
    });
  }

  it('is not handled once the caller has hung up or its time limit has passed', async () => {
    const caller = new AbortController();
    const asked = call('held', { signal: caller.signal });
    const late = call('held', { waitsMs: '1' });
    while (held < 2) await metrics();
    caller.abort();
    await asked.catch(() => undefined);
    // wait until the server has noticed that the caller has disconnected
    while (!(await metrics()).includes('status="499"'));
    letIn.resolve();
    expect(await late).to.have.nested.property('body.code', 'timeout');
    expect(await late)
      .to.have.nested.property('body.detail')
      .that.contains('nothing was done');
    expect((await call('ann', { waitsMs: '60000' })).status).to.equal(200);
    expect(served).to.deep.equal(['ann']);
  });
});
