import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { Registry } from 'prom-client';
import { createProbe } from '../probe.ts';

const task = '01a1fa18-4b82-7fe1-bc48-7791012fab82';

/** The parts of the API that the probe uses, with the notifications that can be read. */
function answer(request: IncomingMessage, readable: readonly object[]): { status: number; body?: object } {
  const [path] = (request.url ?? '').split('?');
  if (path === '/api/v1/auth/login') {
    const session = { access_token: 'access', refresh_token: 'refresh', token_type: 'Bearer', expires_in: 900 };
    return { status: 200, body: { ...session, user: { id: task } } };
  }
  if (path === '/api/v1/notifications') return { status: 200, body: { data: readable, next_cursor: null } };
  return request.method === 'POST' ? { status: 201, body: { id: task } } : { status: 204 };
}

describe('The probe, when its requests get 429', () => {
  let server: Server;
  let requests: string[];
  let readable: object[];
  /** Returns the Retry-After of a request that is refused. The connection of a `broken` one is closed. */
  let limit: (request: string) => number | 'broken' | undefined;

  beforeEach(async () => {
    requests = [];
    readable = [{ task_id: task }];
    limit = () => undefined;
    server = createServer((request: IncomingMessage, response: ServerResponse) => {
      const name = `${request.method} ${request.url?.split('?')[0]}`;
      requests.push(name);
      const retryAfter = limit(name);
      if (retryAfter === 'broken') return void request.socket.destroy();
      if (retryAfter !== undefined) {
        const problem = { code: 'rate_limited', title: 'Too many requests', status: 429 };
        const headers = { 'content-type': 'application/problem+json', 'retry-after': String(retryAfter) };
        return void response.writeHead(429, headers).end(JSON.stringify(problem));
      }
      const { status, body } = answer(request, readable);
      response.writeHead(status, { 'content-type': 'application/json' }).end(body && JSON.stringify(body));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => server.close().closeAllConnections());

  function probeEvery(everyMs: number) {
    const registry = new Registry();
    const reasons: string[] = [];
    const account = { email: 'probe@taskwire.test', password: 'secret' };
    const probe = createProbe({
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      ...{ manager: account, member: account, everyMs, registry },
      onFailure: (check, reason) => reasons.push(`${check}: ${reason}`),
    });
    /** The checks that have been counted, apart from `fast`, which depends on what else the machine does. */
    const counted = async () => {
      const text = await registry.getSingleMetricAsString('probe_checks_total');
      return [...text.matchAll(/check="(\w+)",outcome="(\w+)"\} ([1-9]\d*)/g)]
        .map(([, check, outcome, count]) => `${check} ${outcome} ${count}`)
        .filter((one) => !one.startsWith('fast'));
    };
    return { probe, counted, reasons };
  }

  const times = (count: number, refused: string) => {
    let left = count;
    return (request: string) => (request === refused && left-- > 0 ? 0 : undefined);
  };

  it('repeats the request when it may be sent again, and then judges the suite as usual', async () => {
    const { probe, counted } = probeEvery(60_000);
    limit = times(2, 'POST /api/v1/tasks');
    await probe.run();
    expect(await counted()).to.deep.equal(['available passed 1', 'fresh passed 1']);
    expect(requests.filter((one) => one === 'POST /api/v1/tasks')).to.have.length(3);
  });

  it('counts neither a pass nor a failure if the next run is due earlier, and says why', async () => {
    const { probe, counted, reasons } = probeEvery(1_000);
    await probe.run();
    limit = (request) => (request === 'POST /api/v1/tasks' ? 60 : undefined);
    await probe.run();
    expect(await counted()).to.deep.equal([
      'available passed 1',
      'available limited 1',
      'fresh passed 1',
      'fresh limited 1',
    ]);
    expect(reasons.filter((one) => !one.startsWith('fast')).join()).to.match(/available: .*Too many requests/);
    limit = () => undefined;
    await probe.run();
    expect(await counted()).to.include.members(['available passed 2', 'fresh passed 2']);
    expect(requests.filter((one) => one.endsWith('login'))).to.have.length(2);
  });

  it('counts the failure of an earlier request, whatever becomes of its clean-up', async () => {
    const { probe, counted } = probeEvery(1_000);
    limit = (request) =>
      request === 'GET /api/v1/notifications' ? 'broken' : request.startsWith('DELETE') ? 60 : undefined;
    await probe.run();
    expect(await counted()).to.deep.equal(['available failed 1']);
  });

  it('does not take an assignment for late if it could not look for it all the time', async () => {
    const { probe, counted } = probeEvery(60_000);
    readable = [];
    limit = times(1, 'GET /api/v1/notifications');
    await probe.run();
    expect(await counted()).to.deep.equal(['available passed 1', 'fresh limited 1']);
  });
});
