import { expect } from 'chai';
import { authRoutes, bodyLimitOf, notificationsRoutes, schemas, tasksRoutes, type Route } from '@taskwire/contracts';
import { demoPerson, send, type Answer, type Person } from './front-end.ts';
import { serviceTokenOf } from './service-token.ts';
import { useSuite } from './suite.ts';

const routes: Route[] = [authRoutes, tasksRoutes, notificationsRoutes].flatMap((table) => Object.values(table));
/** Routes for users; `jobs.e2e.test.ts` tests the routes for workers. */
const publicRoutes = routes.filter(({ path, access }) => path.startsWith('/api/v1/') && access.kind !== 'service');
const internalRoutes = routes.filter(({ access }) => access.kind === 'service' && access.public !== true);
const unknownId = '019aa1b2-0000-7000-8000-0000000000ff';

/** The service that a route belongs to, for calls that bypass the gateway. */
function serviceOf(route: Route): 'auth' | 'tasks' | 'notifications' {
  if (Object.values(authRoutes).some((own) => own === route)) return 'auth';
  return Object.values(tasksRoutes).some((own) => own === route) ? 'tasks' : 'notifications';
}

describe('Bad input, at every public endpoint', () => {
  const suite = useSuite();
  let admin: Person;
  let member: Person;
  let serviceToken: string;

  before(async () => {
    admin = await demoPerson(suite(), 'admin');
    member = await demoPerson(suite(), 'ann');
    serviceToken = await serviceTokenOf(suite(), 'notifications', 'urn:taskwire:tasks', 'tasks:read');
  });

  async function call(
    route: Route,
    init: Parameters<typeof send>[3] & { id?: string; query?: string } = {},
  ): Promise<Answer> {
    const { id = unknownId, query = '', ...rest } = init;
    const path = route.path.replace('{id}', id).replaceAll(/\{\w+\}/g, unknownId) + query;
    return await send(suite().url, route.method.toUpperCase(), path, rest);
  }

  function expectProblem(answer: Answer, status: number, code?: string): void {
    expect(answer.status, JSON.stringify(answer.body)).to.equal(status);
    expect(answer.headers.get('content-type')).to.match(/^application\/problem\+json/);
    const body = schemas.problem.parse(answer.body);
    expect(body.status).to.equal(status);
    expect(body.request_id).to.equal(answer.headers.get('x-request-id'));
    if (code !== undefined) expect(body.code).to.equal(code);
  }

  for (const route of publicRoutes) {
    describe(`${route.method.toUpperCase()} ${route.path}`, () => {
      const token = (): string | undefined => (route.access.kind === 'user' ? admin.token : undefined);
      const headers = route.ifMatch === 'required' ? { 'if-match': '*' } : {};

      if (route.access.kind === 'user') {
        it('refuses a request without a token', async () =>
          expectProblem(await call(route, route.method === 'get' ? {} : { body: '{}' }), 401, 'unauthenticated'));
        it('refuses a malformed token', async () =>
          expectProblem(await call(route, { token: 'a.b.c' }), 401, 'invalid_token'));
        it('refuses the token of a service', async () => {
          // Tasks accepts this audience, but not on its public routes; for the other services it is the wrong audience
          const status = serviceOf(route) === 'tasks' ? 403 : 401;
          expectProblem(await call(route, { token: serviceToken }), status);
        });
      }
      if (route.access.kind === 'user' && route.access.roles?.includes('member') === false) {
        it('refuses a user whose role does not permit it', async () => {
          const body = route.body === undefined ? undefined : '{}';
          expectProblem(await call(route, { token: member.token, body, headers }), 403, 'forbidden');
        });
      }
      if (route.body !== undefined) {
        const sent = (body: string, extra: Record<string, string> = {}) => ({
          token: token(),
          body,
          headers: { ...headers, ...extra },
        });
        it('refuses malformed JSON', async () =>
          expectProblem(await call(route, sent('{"title":')), 400, 'malformed_json'));
        it('refuses an unsupported media type', async () =>
          expectProblem(
            await call(route, sent('<a/>', { 'content-type': 'application/xml' })),
            415,
            'unsupported_media_type',
          ));
        it('refuses a body that is too large', async () =>
          expectProblem(
            await call(route, sent(JSON.stringify({ title: 'x'.repeat(bodyLimitOf(route)) }))),
            413,
            'payload_too_large',
          ));
        it('refuses a body that is not an object', async () =>
          expectProblem(await call(route, sent('[1]')), 422, 'invalid_input'));
        it('refuses unknown fields and wrong types, and names them', async () => {
          const answer = await call(route, sent('{"is_admin":true}'));
          expectProblem(answer, 422, 'invalid_input');
          expect(answer.body.errors).to.be.an('array').that.is.not.empty;
        });
      }
      if (route.path.includes('{id}')) {
        const sound = { token, body: route.body === undefined ? undefined : validBody(route) };
        it('refuses an id that is not a UUID', async () =>
          expectProblem(
            await call(route, { id: 'seven', headers, token: sound.token(), body: sound.body }),
            422,
            'invalid_input',
          ));
        it('answers 404 for an unknown id', async () =>
          expectProblem(await call(route, { headers, token: sound.token(), body: sound.body }), 404, 'not_found'));
        if (route.ifMatch === 'required') {
          it('requires If-Match', async () =>
            expectProblem(await call(route, { token: sound.token(), body: sound.body }), 428, 'precondition_required'));
        }
      }
      if (route.query !== undefined && route.params === undefined) {
        if ('cursor' in route.query.shape) {
          it('refuses a cursor that it did not issue', async () =>
            expectProblem(await call(route, { token: token(), query: '?cursor=bm9uc2Vuc2U' }), 400, 'bad_cursor'));
        }
        it('refuses an unknown parameter', async () =>
          expectProblem(await call(route, { token: token(), query: '?colour=red' }), 422, 'invalid_input'));
        it('refuses a limit that is not a number', async () =>
          expectProblem(await call(route, { token: token(), query: '?limit=all' }), 422, 'invalid_input'));
      }
    });
  }

  function validBody(route: Route): unknown {
    if (route.path.endsWith('/assign')) return { assign: 'random' };
    if (/\/(drop|replay)$/.test(route.path)) return { reason: 'a test' };
    if (route.path.endsWith('/transition')) return { state: 'cancelled' };
    if (route.path.endsWith('/backfill')) return { from: '2026-11-01T00:00:00Z', to: '2026-11-02T00:00:00Z' };
    if (route.path.includes('/comments')) return { body: 'Done.' };
    if (route.path.includes('/members')) return { role: 'viewer' };
    if (route.path.endsWith('/move')) return { view_id: unknownId, before_id: unknownId };
    if (route.path.endsWith('/instantiate')) return { values: {} };
    if (/\/(views|projects|task_templates)/.test(route.path)) return { name: 'Mine' };
    if (route.path.includes('/schedules')) return { expression: '0 9 * * *' };
    if (route.optionalBody === true) return {};
    return route.path.includes('/users') ? { name: 'Renamed' } : { title: 'Something' };
  }

  describe('Internal REST', () => {
    for (const route of internalRoutes) {
      it(`is not reachable through the gateway: ${route.path}`, async () => {
        expectProblem(await call(route, { token: serviceToken }), 404, 'not_found');
      });

      it(`is only for services with the scope: ${route.path}`, async () => {
        const own = suite().serviceUrl(serviceOf(route));
        const path = route.path.replace('{id}', unknownId);
        expectProblem(await send(own, 'GET', path), 401, 'unauthenticated');
        expectProblem(await send(own, 'GET', path, { token: admin.token }), 403, 'insufficient_scope');
        if (serviceOf(route) === 'auth')
          expectProblem(await send(own, 'GET', path, { token: serviceToken }), 401, 'invalid_token');
        // accepted with this token: what is refused is the unknown id, or the missing ids
        else if (route.path === path)
          expectProblem(await send(own, 'GET', path, { token: serviceToken }), 422, 'invalid_input');
        else expectProblem(await send(own, 'GET', path, { token: serviceToken }), 404, 'not_found');
      });
    }

    for (const path of [
      '/metrics',
      '/ready',
      '/api/v2/tasks',
      '/users',
      '/%2e%2e/etc/passwd',
      '/api/v1/..%2f..%2fusers',
    ]) {
      it(`has no other path to it: ${path}`, async () => {
        const answer = await send(suite().url, 'GET', path, { token: serviceToken });
        expect([400, 404]).to.include(answer.status);
      });
    }
  });
});
