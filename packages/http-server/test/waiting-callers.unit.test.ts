import { expect } from 'chai';
import { defineRoute } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import { response, bind, type HttpServer } from '../src/index.ts';
import { quietServer } from './support/quiet-server.ts';
import { reader } from './support/reader.ts';

const route = defineRoute({
  method: 'get',
  path: '/api/v1/changes',
  operationId: 'follow',
  summary: '',
  tag: '',
  access: { kind: 'user', scopes: ['tasks:read'], roles: ['manager'] },
  responses: { 204: null },
});

type Standing = 'manager' | 'member' | 'deleted';

describe('A handler that has waited', () => {
  let server: HttpServer;
  let role: Standing = 'manager';
  /** Changes the role of the caller while the handler waits. */
  let become: Standing;
  let seen: string[] = [];

  before(async () => {
    server = quietServer({
      authenticator: {
        async authenticate(id = '') {
          if (role === 'deleted') throw problem('access_revoked');
          return { ...reader(id), role };
        },
      },
      routes: [
        bind(route, async ({ actor, currentActor }) => {
          role = become;
          seen = [actor.role, (await currentActor()).role];
          return response(204);
        }),
      ],
    });
    await server.start();
  });
  after(async () => await server.stop());

  async function statusAfter(change: Standing): Promise<number> {
    [role, become, seen] = ['manager', change, []];
    return (await fetch(`${server.url()}${route.path}`, { headers: { authorization: 'ann' } })).status;
  }

  it('can identify the caller again: the current role, or the refusal that a new request would have', async () => {
    expect(await statusAfter('manager')).to.equal(204);
    expect(seen).to.deep.equal(['manager', 'manager']);
    expect(await statusAfter('member')).to.equal(403);
    expect(await statusAfter('deleted')).to.equal(401);
    expect(seen).to.deep.equal([]);
  });
});
