import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { startGateway, type TestGateway } from './gateway-harness.ts';

const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

describe('The gateway as a proxy of headers and bodies', () => {
  let gateway: TestGateway;
  before(async () => (gateway = await startGateway()));
  after(() => gateway.stop());

  it('generates a request id, and passes it to the service and to the caller', async () => {
    const answer = await gateway.send({ path: '/api/v1/tasks' });
    const id = answer.headers['x-request-id'];
    expect(id).to.match(/^[0-9a-f]{32}$/);
    expect(JSON.parse(answer.text).headers).to.include({ 'x-request-id': id });
  });

  for (const id of ['0', 'order-7:retry.2_a', 'a'.repeat(64)]) {
    it(`passes on the caller's request id ${id} beside its own`, async () => {
      const answer = await gateway.send({ path: '/api/v1/tasks', headers: { 'X-Request-Id': id } });
      const own = answer.headers['x-request-id'];
      expect(own).to.match(/^[0-9a-f]{32}$/);
      expect(JSON.parse(answer.text).headers).to.include({ 'x-request-id': own, 'x-client-request-id': id });
    });
  }

  for (const id of ['a'.repeat(65), 'a b', '"}', 'ä', '-a', '<script>', '${jndi:x}']) {
    it(`does not pass on the request id ${id}`, async () => {
      const headers = { 'X-Request-Id': Buffer.from(id).toString('latin1') };
      const missed = await gateway.send({ path: '/nowhere', headers });
      expect(missed.headers['x-request-id']).to.match(/^[0-9a-f]{32}$/);
      expect(JSON.parse(missed.text)).to.include({ request_id: missed.headers['x-request-id'] });
      const seen = await gateway.seen({ path: '/api/v1/tasks', headers });
      expect(seen.headers['x-request-id']).to.match(/^[0-9a-f]{32}$/);
      expect(seen.headers).not.to.have.property('x-client-request-id');
    });
  }

  it('overwrites X-Client-Request-Id when the caller sends it', async () => {
    const headers = { 'X-Request-Id': 'mine', 'X-Client-Request-Id': 'of-another-caller' };
    const seen = await gateway.seen({ path: '/api/v1/tasks', headers });
    expect(seen.headers['x-client-request-id']).to.equal('mine');
    const without = await gateway.seen({ path: '/api/v1/tasks', headers: { 'X-Client-Request-Id': 'mine' } });
    expect(without.headers).not.to.have.property('x-client-request-id');
  });

  it('responds with one request id even when the service sends one, too', async () => {
    const other = await startGateway({
      services: { tasks: (_, response) => response.setHeader('X-Request-Id', 'other').end() },
    });
    const answer = await other.send({ path: '/api/v1/tasks', headers: { 'X-Request-Id': 'mine' } });
    await other.stop();
    expect(answer.headers['x-request-id']).to.match(/^[0-9a-f]{32}$/);
  });

  it('passes on the body of a DELETE, which authenticates the deletion of an account', async () => {
    const bodies: string[] = [];
    const auth = await startGateway({
      services: {
        auth: (request, response) => {
          void text(request).then((arrived) => {
            bodies.push(`${request.method} ${request.headers['content-type']} ${arrived}`);
            response.writeHead(204).end();
          });
        },
      },
    });
    const body = '{"current_password":"x"}';
    const answer = await auth.send({
      method: 'DELETE',
      path: '/api/v1/users/018f',
      // unlike fetch, Node's HTTP client sets no Content-Length for the body of a DELETE
      headers: { 'content-type': 'application/json', 'content-length': String(body.length) },
      body,
    });
    await auth.stop();
    expect(answer.status).to.equal(204);
    expect(bodies).to.deep.equal([`DELETE application/json ${body}`]);
  });

  it('passes the trace context on', async () => {
    const seen = await gateway.seen({ path: '/api/v1/tasks', headers: { traceparent, tracestate: 'a=b' } });
    expect(seen.headers).to.include({ traceparent, tracestate: 'a=b' });
  });

  it("logs the request's id as the trace of a request without a valid trace context, as the service does", async () => {
    const invalid = [
      undefined,
      'nonsense',
      traceparent.replace(/^00/, 'ff'),
      traceparent.replace(/-[0-9a-f]{32}-/, `-${'0'.repeat(32)}-`),
      traceparent.replace(/-[0-9a-f]{16}-/, `-${'0'.repeat(16)}-`),
    ];
    for (const value of invalid) {
      const headers: Record<string, string> = value === undefined ? {} : { traceparent: value };
      const seen = await gateway.seen({ path: '/api/v1/tasks', headers });
      const id = seen.headers['x-request-id'];
      const line = (await gateway.log()).find((entry) => entry['request_id'] === id);
      expect(line?.['trace_id'], String(value)).to.equal(id);
    }
  });

  it('passes the address that it saw to the service, whatever the caller claims', async () => {
    const headers = {
      'X-Forwarded-For': '203.0.113.9, 10.0.0.1',
      'X-Real-IP': '203.0.113.9',
      'X-Forwarded-Proto': 'https',
      'X-Forwarded-Host': 'evil.example',
      Forwarded: 'for=203.0.113.9',
    };
    const seen = await gateway.seen({ path: '/api/v1/tasks', headers });
    expect(seen.headers).to.include({
      'x-forwarded-for': '127.0.0.1',
      'x-real-ip': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': `127.0.0.1:${gateway.port}`,
    });
    expect(seen.headers).not.to.have.property('forwarded');
  });

  it('believes a trusted load balancer, up to the first address that is not one', async () => {
    const behind = await startGateway({ trustedProxy: '127.0.0.0/8' });
    const headers = { 'X-Forwarded-For': '198.51.100.1, 203.0.113.9, 127.0.0.2', 'X-Forwarded-Proto': 'https' };
    const seen = await behind.seen({ path: '/api/v1/tasks', headers });
    await behind.stop();
    expect(seen.headers).to.include({ 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'https' });
  });

  it('removes the weak mark, which its own gzip adds, from an entity tag that the caller sends back', async () => {
    const tagged = await startGateway({
      services: {
        tasks: (request, response) => {
          response.setHeader('ETag', '"7"').setHeader('Content-Type', 'application/json');
          response.setHeader('If-Match-Seen', request.headers['if-match'] ?? 'none').end('x'.repeat(2000));
        },
      },
    });
    const first = await tagged.send({ path: '/api/v1/tasks', headers: { 'Accept-Encoding': 'gzip' } });
    expect(first.headers).to.include({ 'content-encoding': 'gzip', etag: 'W/"7"' });
    const tag = first.headers.etag as string;
    const second = await tagged.send({ path: '/api/v1/tasks', headers: { 'If-Match': tag } });
    const third = await tagged.send({ path: '/api/v1/tasks', headers: { 'If-Match': '*' } });
    await tagged.stop();
    expect(second.headers).to.include({ 'if-match-seen': '"7"' });
    expect(third.headers).to.include({ 'if-match-seen': '*' });
  });

  it('does not compress responses to log-ins, which contain tokens', async () => {
    const long = await startGateway({
      services: { auth: (_, response) => response.setHeader('Content-Type', 'application/json').end('x'.repeat(2000)) },
    });
    const headers = { 'Accept-Encoding': 'gzip' };
    const login = await long.send({ path: '/api/v1/auth/login', headers });
    const users = await long.send({ path: '/api/v1/users', headers });
    await long.stop();
    expect(login.headers).not.to.have.property('content-encoding');
    expect(users.headers).to.include({ 'content-encoding': 'gzip' });
  });

  it('uses one connection to a service for many requests', async () => {
    const ports = new Set<number | undefined>();
    const counted = await startGateway({
      services: {
        tasks: (request, response) => {
          ports.add(request.socket.remotePort);
          response.end();
        },
      },
    });
    for (let sent = 0; sent < 5; sent++) await counted.send({ path: '/api/v1/tasks' });
    await counted.stop();
    expect(ports.size).to.equal(1);
  });

  it('logs a request as JSON with its ids and trace, and nothing of query, headers or body', async () => {
    const secret = 'sEcReT';
    const answer = await gateway.send({
      method: 'POST',
      path: `/api/v1/auth/login?token=${secret}`,
      headers: {
        'X-Request-Id': 'logged',
        Authorization: `Bearer ${secret}`,
        Cookie: secret,
        Referer: `http://a/?${secret}`,
        traceparent,
      },
      body: JSON.stringify({ password: secret }),
    });
    await gateway.send({ method: 'DELETE', path: `/nowhere?token=${secret}`, headers: { 'X-Request-Id': 'missed' } });
    const lines = await gateway.log();
    expect(lines.find((line) => line['client_request_id'] === 'logged')).to.deep.include({
      service: 'gateway',
      request_id: answer.headers['x-request-id'],
      method: 'POST',
      path: '/api/v1/auth/login',
      status: 200,
      ip: '127.0.0.1',
      trace_id: '4bf92f3577b34da6a3ce929d0e0e4736',
    });
    expect(lines.find((line) => line['client_request_id'] === 'missed')).to.deep.include({
      method: 'DELETE',
      path: '/nowhere',
      status: 404,
    });
    expect(JSON.stringify(lines)).not.to.include(secret);
  });

  it('logs the ids in a path, and that of a created resource, under the names that services use', async () => {
    const id = '01a1fa18-4b82-7fe1-bc48-7791012fab82';
    const creating = await startGateway({
      services: { tasks: (_, answer) => answer.writeHead(201, { location: `/api/v1/tasks/${id}` }).end() },
    });
    const paths: [string, string][] = [
      [`/api/v1/tasks/${id}/comments?limit=1`, 'task_id'],
      [`/api/v1/admin/journeys/notifications/${id}`, 'task_id'],
      [`/api/v1/jobs/${id}/complete`, 'job_id'],
      [`/api/v1/schedules/${id}`, 'schedule_id'],
      [`/api/v1/users/${id}/restore`, 'target_user_id'],
      [`/api/v1/admin/dead_letters/tasks/${id}/replay`, ''],
      [`/api/v1/tasks/${id}0`, ''],
    ];
    for (const [path] of paths) await gateway.send({ path });
    await creating.send({ path: '/api/v1/tasks', method: 'POST' });
    const idsOf = (line: Record<string, unknown> = {}) =>
      Object.entries(line).flatMap(([field, value]) => (value === id ? [field] : []));
    const lines = await gateway.log();
    for (const [path, field] of paths) {
      const line = lines.find((one) => one['path'] === path.split('?')[0]);
      expect(idsOf(line), path).to.deep.equal(field === '' ? [] : [field]);
    }
    expect(idsOf((await creating.log())[0])).to.deep.equal(['task_id']);
    await creating.stop();
  });
});
