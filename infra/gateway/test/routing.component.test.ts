import { expect } from 'chai';
import { startGateway, type TestGateway } from './gateway-harness.ts';

describe('The routing of the gateway', () => {
  let gateway: TestGateway;
  before(async () => (gateway = await startGateway()));
  after(() => gateway.stop());

  const routes = {
    auth: [
      '/api/v1/auth/login',
      '/api/v1/users',
      '/api/v1/users/me',
      '/api/v1/invitations',
      '/api/v1/invitations/018f',
      '/api/v1/admin/audit?action=login',
      '/oidc/.well-known/openid-configuration',
      '/oidc/jwks',
      '/oidc/account/reset?token=twl_a-b_c',
      '/.well-known/oauth-authorization-server/oidc',
      '/.well-known/openid-configuration/oidc',
    ],
    tasks: [
      '/api/v1/tasks',
      '/api/v1/tasks/018f/transition',
      '/api/v1/schedules/018f/occurrences?from=2026-01-01T00:00:00Z',
      '/api/v1/tasks?state=draft&cursor=a%2Bb',
      '/api/v1/labels?prefix=a',
      '/api/v1/views/018f',
      '/api/v1/task_templates/018f',
      '/api/v1/projects/018f/members',
      '/api/v1/sync/tasks?wait=25',
      '/api/v1/jobs/claim',
      '/api/v1/jobs/01a227d8-4e4d-7fec-92a2-0b6b0bc58fd6?wait=25&wait=%32',
      '/api/v1/activity?limit=10',
      '/api/v1/admin/dead_letters/tasks?type=auth.user.*',
      '/api/v1/admin/dead_letters/tasks/018f/replay',
      '/api/v1/admin/journeys/tasks/018f',
    ],
    notifications: [
      '/api/v1/notifications',
      '/api/v1/notifications/read_all',
      '/api/v1/notifications/stream',
      '/api/v1/admin/dead_letters/notifications',
      '/api/v1/admin/dead_letters/notifications/018f/drop',
      '/api/v1/admin/journeys/notifications/018f',
    ],
  };
  for (const [service, paths] of Object.entries(routes)) {
    for (const path of paths) {
      it(`sends ${path} to ${service}, unchanged`, async () => {
        const seen = await gateway.seen({ path, method: 'POST', body: '{}' });
        expect(seen).to.include({ service, path, method: 'POST' });
      });
    }
  }

  const hidden = [
    '/',
    '/users',
    '/users/018f',
    '/users?updated_since=2026-01-01T00:00:00Z',
    '/account_links/018f',
    '/tasks/018f',
    '/metrics',
    '/ready',
    '/health/x',
    '/api/v1',
    '/api/v1/tasksy',
    '/api/v1/admin/dead_letters',
    '/api/v1/admin/dead_letters/auth',
    '/api/v1/admin/journeys/auth/018f',
    '/api/v1/admin/dead_letters/tasksy',
    '/api/v2/tasks',
    '/API/V1/tasks',
    '/.problem',
    '/.waiting/api/v1/jobs/018f?wait=25',
    '/.waiting/metrics',
    '/.well-known/openid-configuration',
    '/api/v1/tasks/../../../users/018f',
    '/api/v1/tasks/..%2f..%2F../metrics',
    '/api/v1/tasks/%2e%2e/%2e%2e/%2e%2e/tasks/018f',
    '//users/018f',
  ];
  for (const path of hidden) {
    it(`responds with 404 for ${path} without calling a service`, async () => {
      const answer = await gateway.send({ path });
      expect(answer.status).to.equal(404);
      expect(answer.headers['content-type']).to.equal('application/problem+json');
      expect(JSON.parse(answer.text)).to.include({ code: 'not_found', type: '/docs/problems#not_found', status: 404 });
    });
  }

  it('passes a service the path that it matched, not another spelling of it', async () => {
    const seen = await gateway.seen({ path: '/tasks/..%2fapi%2fv1%2ftasks' });
    expect(seen).to.include({ service: 'tasks', path: '/api/v1/tasks' });
  });

  const limitPaths = [
    '/api/v1/job_limits/reports/a%2Fb',
    '/api/v1/job_limits/reports/a%2fb?x=%2F',
    '/api/v1/job_limits/reports/..%2Fa',
    '/api/v1/job_limits/reports/a%2F%2Fb%2F..%2Fc',
    '/api/v1/job_limits/reports/%25%20%3F%23',
    '/api/v1/job_limits/reports',
  ];
  for (const path of limitPaths) {
    it(`sends ${path} to Tasks as it was sent, with the slashes of the key`, async () => {
      expect(await gateway.seen({ path, method: 'PUT', body: '{}' })).to.include({ service: 'tasks', path });
    });
  }

  const spellings = [
    '/api/v1/tasks/../job_limits/reports/a',
    '/api/v1/tasks/%2E%2E/job_limits/reports/a',
    '/api/v1//job_limits/reports/a',
    '/api/v1/%6Aob_limits/reports/a',
    '/users/..%2Fapi/v1/job_limits',
  ];
  for (const path of spellings) {
    it(`responds with 404 for ${path}, which Tasks would not take for a job limit`, async () => {
      expect((await gateway.send({ path })).status).to.equal(404);
    });
  }

  it('sends a service nothing but the path of a location, also from below job limits', async () => {
    const below = async (path: string) => await gateway.seen({ path: `/api/v1/job_limits/reports/${path}` });
    expect(await below('..%2F../jobs/claim')).to.include({ service: 'tasks', path: '/api/v1/jobs/claim' });
    const stream = { service: 'notifications', path: '/api/v1/notifications/stream' };
    expect(await below('..%2F../notifications/stream')).to.include(stream);
    expect(await below('%2e%2e/../auth/login')).to.include({ service: 'auth', path: '/api/v1/auth/login' });
  });

  it('keeps reserved characters of a path escaped', async () => {
    const seen = await gateway.seen({ path: '/api/v1/tasks/a%3Fb%20c%23d%25?q=%20x' });
    expect(seen.path).to.equal('/api/v1/tasks/a%3Fb%20c%23d%25?q=%20x');
  });

  it('responds to /health without a service', async () => {
    const answer = await gateway.send({ path: '/health' });
    expect(answer).to.include({ status: 200, text: '{"status":"ok"}' });
  });

  for (const service of ['auth', 'tasks', 'notifications']) {
    it(`asks ${service} for its health, for a health check from the same machine`, async () => {
      const seen = await gateway.seen({ path: `/.upstream/${service}` });
      expect(seen).to.include({ service, path: '/health', method: 'GET' });
    });
  }

  it('reports a service that cannot be reached', async () => {
    const broken = await startGateway({ services: { tasks: (request) => request.socket.destroy() } });
    try {
      const statuses = ['auth', 'tasks', 'notifications'].map(
        async (service) => (await broken.send({ path: `/.upstream/${service}` })).status,
      );
      expect(await Promise.all(statuses)).to.deep.equal([200, 502, 200]);
    } finally {
      await broken.stop();
    }
  });

  it('hides the health of services from callers at other addresses', async () => {
    const behindProxy = await startGateway({ trustedProxy: '127.0.0.1' });
    try {
      const headers = { 'x-forwarded-for': '192.0.2.7' };
      expect((await behindProxy.send({ path: '/.upstream/auth', headers })).status).to.equal(404);
    } finally {
      await behindProxy.stop();
    }
  });
});
