import { PassThrough } from 'node:stream';
import { defineRoute, userScopes, type Access, type UserScope } from '@taskwire/contracts';
import { problem } from '@taskwire/errors';
import { createTelemetry } from '@taskwire/telemetry';
import { expect } from 'chai';
import {
  response,
  bind,
  createHttpServer,
  type Actor,
  type HttpServer,
  type Refusal,
  type UserActor,
} from '../src/index.ts';

const route = (path: string, access: Access) =>
  defineRoute({
    ...{ method: 'get', path: `/api/v1/${path}`, operationId: path, summary: '', tag: '', access },
    responses: { 204: null },
  });

const reading = route('reading', { kind: 'user', scopes: ['tasks:read'] });
const either = route('either', { kind: 'user', scopes: ['account:read', 'admin'] });
const own = route('own', { kind: 'user', scopes: ['account:write'], firstParty: true });
const administration = route('administration', { kind: 'user', scopes: ['admin'], roles: ['admin'] });
const internal = route('internal', { kind: 'service', scope: 'users:read' });
const dynamic = route('dynamic', { kind: 'user', scopes: ['tasks:read'] });

const person: Omit<UserActor, 'scopes'> = {
  kind: 'user',
  id: '019aa1b2-0000-7000-8000-000000000001',
  role: 'admin',
  sessionId: undefined,
  clientId: 'portal',
  isFirstParty: false,
  authenticatedAt: undefined,
  isRestricted: false,
};

const third = (...scopes: UserScope[]): UserActor => ({ ...person, scopes: new Set(scopes) });
const firstParty: UserActor = { ...third(...userScopes), clientId: 'first-party', isFirstParty: true };

describe('Access to an operation', () => {
  let server: HttpServer;
  let actor: Actor;
  let refusals: Refusal[] = [];
  let onRefusal: () => Promise<void> = async () => undefined;
  const log: string[] = [];
  before(async () => {
    const stream = new PassThrough().on('data', (line: Buffer) => log.push(line.toString()));
    server = createHttpServer({
      telemetry: createTelemetry({ service: 'test', stream }),
      ...{ host: '127.0.0.1', port: 0, trustedProxies: ['192.0.2.1'], readiness: {} },
      authenticator: { authenticate: async () => actor },
      async onRefusal(refusal) {
        refusals.push(refusal);
        await onRefusal();
      },
      routes: [
        ...[reading, either, own, administration].map((one) => bind(one, async () => response(204))),
        bind(internal, async () => response(204)),
        bind(dynamic, async () => {
          throw problem('forbidden', 'Not of this one.');
        }),
      ],
    });
    await server.start();
  });
  after(async () => {
    await server.stop();
  });
  beforeEach(() => {
    refusals = [];
    onRefusal = async () => undefined;
  });

  async function ask(caller: Actor, { path }: { path: string }, headers: Record<string, string> = {}) {
    actor = caller;
    const response = await fetch(`${server.url()}${path}`, { headers });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      code: text === '' ? '' : (JSON.parse(text) as { code: string }).code,
    };
  }

  const metric = async (operation: string, code: string) => {
    const text = await (await fetch(`${server.url()}/metrics`)).text();
    const found = text
      .split('\n')
      .find((line) => line.startsWith(`http_refusals_total{operation="${operation}",code="${code}"`));
    return Number(found?.split(' ').at(-1) ?? 0);
  };

  it('requires one of the scopes of its contract, and names them in the rejection (RFC 6750 section 3.1)', async () => {
    for (const [one, opening] of [
      [reading, ['tasks:read']],
      [either, ['account:read', 'admin']],
      [administration, ['admin']],
    ] as const) {
      for (const scope of userScopes) {
        const { status, code, headers } = await ask(third(scope), one);
        const isOpen = (opening as readonly string[]).includes(scope);
        expect([status, code], `${one.path} with ${scope}`).to.deep.equal(
          isOpen ? [204, ''] : [403, 'insufficient_scope'],
        );
        const challenge = isOpen ? null : `Bearer error="insufficient_scope", scope="${opening.join(' ')}"`;
        expect(headers.get('www-authenticate')).to.equal(challenge);
      }
      const others = userScopes.filter((scope) => !(opening as readonly string[]).includes(scope));
      expect((await ask(third(...others), one)).code).to.equal('insufficient_scope');
      expect((await ask(firstParty, one)).status).to.equal(204);
    }
    expect((await ask(third(), reading)).code).to.equal('insufficient_scope');
  });

  it('is denied to third-party applications, whatever their scopes, if the operation is first-party only', async () => {
    expect((await ask(third(...userScopes), own)).code).to.equal('insufficient_scope');
    expect((await ask(firstParty, own)).status).to.equal(204);
  });

  it("is not extended by a scope beyond the user's role", async () => {
    expect((await ask({ ...third('admin'), role: 'member' }, administration)).code).to.equal('forbidden');
  });

  it('is denied to services on operations for users, and to users on operations for services, whatever their scopes', async () => {
    const service: Actor = {
      kind: 'service',
      queues: [],
      clientId: 'tasks',
      scopes: new Set([...userScopes, 'users:read']),
    };
    for (const one of [reading, either, own, administration]) expect((await ask(service, one)).status).to.equal(403);
    expect((await ask(service, internal)).status).to.equal(204);
    expect((await ask(firstParty, internal)).code).to.equal('insufficient_scope');
  });

  it('is counted, logged and passed to onRefusal if it is denied, by the contract or by a handler', async () => {
    const before = await metric('administration', 'insufficient_scope');
    await ask(third('tasks:read'), administration, { 'x-request-id': 'mine' });
    await ask(third('tasks:read'), dynamic);
    await ask(third('tasks:read'), reading);
    expect(refusals.map(({ route: { operationId }, code }) => [operationId, code])).to.deep.equal([
      ['administration', 'insufficient_scope'],
      ['dynamic', 'forbidden'],
    ]);
    expect(refusals[0]).to.deep.include({ actor: third('tasks:read'), clientRequestId: 'mine' });
    expect(await metric('administration', 'insufficient_scope')).to.equal(before + 1);
    const line = log.find((text) => text.includes('"operation refused"') && text.includes('"dynamic"'));
    expect(JSON.parse(line ?? '{}')).to.include({ client_id: 'portal', user_id: person.id, code: 'forbidden' });
  });

  it('is denied even if the refusal cannot be recorded', async () => {
    onRefusal = async () => {
      throw new Error('the database is unavailable');
    };
    expect((await ask(third(), administration)).code).to.equal('insufficient_scope');
  });

  it('is logged with an id that an outside caller cannot choose, and with the id that the caller sent', async () => {
    const { headers } = await ask(firstParty, reading, {
      'x-request-id': 'chosen',
      'x-client-request-id': 'also-chosen',
    });
    const id = headers.get('x-request-id');
    expect(id).to.match(/^[0-9a-f-]{36}$/);
    const line = log.findLast((text) => text.includes('"route":"/api/v1/reading"'));
    expect(JSON.parse(line ?? '{}')).to.include({ request_id: id, client_request_id: 'chosen' });
  });
});
