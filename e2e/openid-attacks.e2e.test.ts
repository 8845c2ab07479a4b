import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { expect } from 'chai';
import { waitFor } from '@taskwire/testing';
import { demoPerson, newMember, send, notificationsAbout, type Person, type Task } from './front-end.ts';
import { serviceTokenOf } from './service-token.ts';
import { useSuite } from './suite.ts';

describe('Attacks through the gateway', () => {
  const suite = useSuite();
  let manager: Person;
  let owner: Person;
  let stranger: Person;

  before(async () => {
    [manager, owner, stranger] = await Promise.all([
      demoPerson(suite(), 'manager'),
      newMember(suite(), 'Oona Owner'),
      newMember(suite(), 'Sam Stranger'),
    ]);
  });

  describe('with forged client addresses (RFC 7239 section 8.1)', () => {
    it('do not bypass the limit on log-ins: only the address of the connection counts', async () => {
      const victim = await newMember(suite());
      const guess = async (password: string, ip: string) =>
        await send(suite().url, 'POST', '/api/v1/auth/login', {
          body: { email: victim.user.email, password },
          headers: {
            'x-forwarded-for': `${ip}, 10.0.0.1`,
            'x-real-ip': ip,
            'x-client-ip': ip,
            'true-client-ip': ip,
            'cf-connecting-ip': ip,
            forwarded: `for=${ip}`,
          },
        });
      for (let count = 1; count <= 10; count++) {
        expect((await guess(`guess ${count}`, `198.51.100.${count}`)).status).to.equal(401);
      }
      const answer = await guess(victim.password, '198.51.100.99');
      expect(answer.status).to.equal(429);
      expect(answer.body.code).to.equal('rate_limited');
    });
  });

  /** Sends a request with headers that fetch forbids, to the path exactly as written. */
  async function plain(
    path: string,
    headers: Record<string, string>,
  ): Promise<{ status: number; headers: IncomingHttpHeaders }> {
    const { hostname, port } = new URL(suite().url);
    const sent = httpRequest({ hostname, port, path, headers }).end();
    const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage];
    response.resume();
    return { status: response.statusCode ?? 0, headers: response.headers };
  }

  describe('that try to redirect users to another site (RFC 9700 section 4.11)', () => {
    const authorize = `/oidc/authorize?${new URLSearchParams({ client_id: 'unknown', response_type: 'code' }).toString()}`;

    it('never get their own host into a redirect, whatever header names it', async () => {
      for (const path of ['/docs', '/oidc/logout', authorize, '/oidc/.well-known/openid-configuration']) {
        const { headers } = await plain(path, {
          host: 'evil.example',
          'x-forwarded-host': 'evil.example',
          'x-forwarded-proto': 'https',
          'x-original-url': 'https://evil.example/',
          forwarded: 'host=evil.example;proto=https',
        });
        expect(JSON.stringify(headers), path).not.to.contain('evil.example');
      }
      const found = await fetch(`${suite().url}/oidc/.well-known/openid-configuration`, {
        headers: { 'x-forwarded-host': 'evil.example' },
      });
      expect(await found.text()).not.to.contain('evil.example');
    });

    it('get no redirect to their own host from a path that looks like another host', async () => {
      const paths = [
        '//evil.example',
        '//evil.example/docs',
        '/\\evil.example',
        '/%2F%2Fevil.example',
        '/docs/..//evil.example',
        '/docs//evil.example/%2e%2e',
        '/oidc//evil.example',
        '/oidc/logout?post_logout_redirect_uri=https%3A%2F%2Fevil.example',
        '/oidc/logout?return_to=https%3A%2F%2Fevil.example&returnTo=//evil.example',
        '/oidc/interaction/x?returnTo=https%3A%2F%2Fevil.example',
      ];
      for (const path of paths) {
        const { status, headers } = await plain(path, {});
        expect(status, path).to.be.below(500);
        expect(headers.location ?? '', path).not.to.contain('evil.example');
      }
    });
  });

  describe("on other users' resources (OWASP API1, broken object level authorization)", () => {
    let task: Task;
    let notificationId: string;

    before(async () => {
      const title = `Private ${randomUUID()}`;
      task = (await manager.call<Task>('POST', '/api/v1/tasks', { title, assignee_id: owner.user.id })).body;
      const [notification] = await waitFor(async () => {
        const list = await notificationsAbout(owner, task.id);
        return list.length > 0 && list;
      });
      notificationId = notification?.id ?? '';
    });

    const any = { 'if-match': '*' };

    it("cannot change, assign or carry out other users' tasks", async () => {
      const path = `/api/v1/tasks/${task.id}`;
      expect((await stranger.call('PATCH', path, { title: 'Mine' }, any)).status).to.equal(403);
      expect((await stranger.call('DELETE', path, undefined, any)).status).to.equal(403);
      expect((await stranger.call('POST', `${path}/assign`, { assignee_id: stranger.user.id }, any)).status).to.equal(
        403,
      );
      expect((await stranger.call('POST', `${path}/transition`, { state: 'in_progress' }, any)).status).to.equal(403);
      expect((await stranger.call('POST', '/api/v1/tasks/shuffle')).status).to.equal(403);
      expect((await manager.call<Task>('GET', path)).body).to.deep.include({
        title: task.title,
        version: task.version,
      });
    });

    it("neither see nor mark other users' notifications, which don't exist for them", async () => {
      const list = await stranger.call('GET', '/api/v1/notifications?limit=100');
      expect(JSON.stringify(list.body)).not.to.contain(notificationId);
      expect((await stranger.call('POST', `/api/v1/notifications/${notificationId}/read`)).status).to.equal(404);
      await stranger.call('POST', '/api/v1/notifications/read_all');
      const [notification] = await notificationsAbout(owner, task.id);
      expect(notification).to.include({ id: notificationId, read_at: null });
    });

    it('neither read nor change other accounts', async () => {
      const path = `/api/v1/users/${owner.user.id}`;
      expect((await stranger.call('GET', path)).status).to.equal(403);
      expect((await stranger.call('PATCH', path, { name: 'Mallory' }, any)).status).to.equal(403);
      expect((await stranger.call('DELETE', path, undefined, any)).status).to.equal(403);
      expect((await stranger.call('GET', '/api/v1/users')).status).to.equal(403);
      expect((await owner.call('GET', path)).body).to.include({ name: 'Oona Owner', version: 1 });
    });
  });

  describe('with fields that callers cannot set (OWASP API3, mass assignment)', () => {
    it("change no account's role, verification or identity", async () => {
      const fields = {
        role: 'admin',
        email_verified: true,
        id: randomUUID(),
        version: 99,
        is_deleted: false,
        tokens_valid_after: null,
        password_hash: 'x',
        created_at: new Date().toISOString(),
      };
      const path = `/api/v1/users/${stranger.user.id}`;
      for (const [field, value] of Object.entries(fields)) {
        const account = { email: `${randomUUID()}@taskwire.test`, password: randomUUID(), name: 'Mass' };
        const made = await send(suite().url, 'POST', '/api/v1/auth/register', { body: { ...account, [field]: value } });
        expect(made.status, field).to.equal(422);
        const { status } = await stranger.call('PATCH', path, { name: 'Sam', [field]: value }, { 'if-match': '*' });
        expect(status, field).to.equal(field === 'role' ? 403 : 422);
      }
      const me = await stranger.call('GET', '/api/v1/users/me');
      expect(me.body).to.include({ role: 'member', email_verified: false, name: 'Sam Stranger', version: 1 });
    });

    it("choose no task's creator, state, id, version or creation time", async () => {
      const fields = {
        creator_id: owner.user.id,
        state: 'completed',
        id: randomUUID(),
        version: 7,
        created_at: '2020-01-01T00:00:00Z',
      };
      for (const [field, value] of Object.entries(fields)) {
        const { status } = await stranger.call('POST', '/api/v1/tasks', { title: 'Mass', [field]: value });
        expect(status, field).to.equal(422);
      }
    });
  });

  describe('with a token of another kind', () => {
    it('reach no service path through the gateway, and no user path with a token of a service', async () => {
      const token = await serviceTokenOf(suite(), 'notifications', 'urn:taskwire:tasks', 'tasks:read');
      for (const path of [
        '/users?limit=1',
        `/users/${owner.user.id}`,
        `/tasks/${randomUUID()}`,
        '/metrics',
        '/ready',
      ]) {
        expect((await send(suite().url, 'GET', path, { token })).status, path).to.equal(404);
      }
      expect((await send(suite().serviceUrl('tasks'), 'GET', '/api/v1/tasks', { token })).status).to.equal(403);
      const internal = `/tasks/${randomUUID()}`;
      expect((await send(suite().serviceUrl('tasks'), 'GET', internal, { token: manager.token })).status).to.equal(403);
    });

    it('get no token for a scope that the service was not granted (RFC 6749 section 3.3)', async () => {
      const refused = await serviceTokenOf(suite(), 'tasks', 'urn:taskwire:auth', 'users:write').catch(String);
      expect(refused).to.contain('invalid_scope');
      const other = await serviceTokenOf(suite(), 'tasks', 'urn:taskwire:notifications', 'tasks:read').catch(String);
      expect(other).to.contain('invalid_target');
    });
  });
});
