import { expect } from 'chai';
import { startGateway, type TestGateway } from './gateway-harness.ts';

describe('Long response headers at the gateway', () => {
  let gateway: TestGateway;
  afterEach(() => gateway.stop());

  const redirecting = (bytes: number) => {
    const headers = { Location: `https://app.example.com/callback?state=${'x'.repeat(bytes)}` };
    const listener = (_: unknown, response: import('node:http').ServerResponse) =>
      response.writeHead(303, headers).end();
    return startGateway({ services: { auth: listener, tasks: listener, notifications: listener } });
  };

  it('allow a redirect that repeats the longest possible request line, encoded', async () => {
    gateway = await redirecting(30_000);
    for (const path of ['/oidc/authorize', '/api/v1/auth/sessions', '/api/v1/tasks', '/api/v1/notifications']) {
      const answer = await gateway.send({ path });
      expect(answer.status, path).to.equal(303);
      expect(answer.headers.location).to.have.length.above(30_000);
    }
    expect((await gateway.log())[0]).to.include({ level: 'info', fault: '' });
  });

  it('beyond the limit lead to a 502 whose cause is logged', async () => {
    gateway = await redirecting(33_000);
    const answer = await gateway.send({ path: '/oidc/authorize?state=secret' });
    expect(answer.status).to.equal(502);
    const line = (await gateway.log()).find(({ path }) => path === '/oidc/authorize');
    expect(line).to.include({ level: 'error', status: 502, fault: 'upstream sent too big header' });
    expect(JSON.stringify(line)).not.to.include('secret');
  });

  it('are not logged as the cause when a service closes the connection', async () => {
    gateway = await startGateway({ services: { auth: (request) => request.socket.destroy() } });
    expect((await gateway.send({ path: '/oidc/authorize' })).status).to.equal(502);
    const line = (await gateway.log()).find(({ path }) => path === '/oidc/authorize');
    expect(line).to.include({ level: 'info', status: 502, fault: '' });
  });
});
