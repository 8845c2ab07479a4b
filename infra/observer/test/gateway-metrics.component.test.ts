import type { Socket } from 'node:dgram';
import { renameSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Registry } from 'prom-client';
import { freePorts } from '@taskwire/process-supervisor';
import { waitFor } from '@taskwire/testing';
import { startGateway, type TestGateway } from '../../gateway/test/gateway-harness.ts';
import { receiveAccessLog } from '../access-log-receiver.ts';
import { createGatewayMetrics } from '../gateway-metrics.ts';

describe('The metrics of the gateway', () => {
  let gateway: TestGateway;
  let socket: Socket;
  let folder: string;
  let accessLog: string;
  const registry = new Registry();
  const metrics = createGatewayMetrics(registry, async () => (await gateway.send({ path: '/health' })).status === 200);

  before(async () => {
    socket = await receiveAccessLog(metrics, { host: '127.0.0.1', port: 0 });
    folder = await mkdtemp(join(tmpdir(), 'taskwire-access-log-'));
    accessLog = join(folder, 'access.log');
    const [deadPort] = await freePorts(1);
    gateway = await startGateway({
      metricsLog: `127.0.0.1:${socket.address().port}`,
      accessLog,
      upstreams: { auth: '127.0.0.1:1', tasks: `127.0.0.1:${deadPort}`, notifications: '127.0.0.1:2' },
    });
  });
  after(async () => {
    socket.close();
    await gateway.stop();
    await rm(folder, { recursive: true });
  });

  async function values(name: string): Promise<Record<string, number>> {
    const lines = (await registry.getSingleMetricAsString(name)).split('\n').filter((one) => !one.startsWith('#'));
    return Object.fromEntries(lines.map((one) => [one.slice(0, one.lastIndexOf(' ')), Number(one.split(' ').at(-1))]));
  }
  const requests = async (service: string, name: string) =>
    (await values('gateway_requests_total'))[`gateway_requests_total{service="${service}",class="${name}"}`];

  it('exist with 0 for every service and class before the first request', async () => {
    const found = await values('gateway_requests_total');
    expect(Object.keys(found)).to.have.length(20);
    expect(Object.values(found).every((count) => count === 0)).to.equal(true);
    const durations = await values('gateway_request_duration_seconds');
    expect(durations).to.include({ 'gateway_request_duration_seconds_bucket{le="0.25",service="tasks"}': 0 });
  });

  it('count a 502 for a service that has died, and a 404 for a path of no service', async () => {
    expect((await gateway.send({ path: '/api/v1/tasks?q=secret' })).status).to.equal(502);
    expect((await gateway.send({ path: '/nowhere' })).status).to.equal(404);
    await waitFor(async () => (await requests('tasks', '5xx')) === 1 && (await requests('none', '4xx')) === 1);
    expect(await requests('auth', '5xx')).to.equal(0);
  });

  it('time every request except those that wait for new data', async () => {
    const count = async () =>
      (await values('gateway_request_duration_seconds'))['gateway_request_duration_seconds_count{service="tasks"}'] ??
      0;
    const before = await count();
    await gateway.send({ method: 'POST', path: '/api/v1/jobs/claim' });
    await gateway.send({ path: '/api/v1/jobs' });
    await waitFor(async () => (await requests('tasks', '5xx')) === 3);
    expect(await count()).to.equal(before + 1);
  });

  it('continue when the log file is rotated or truncated', async () => {
    renameSync(accessLog, `${accessLog}.1`);
    writeFileSync(`${accessLog}.1`, '');
    const before = (await requests('auth', '5xx')) ?? 0;
    await gateway.send({ path: '/api/v1/users/me' });
    await waitFor(async () => (await requests('auth', '5xx')) === before + 1);
  });

  it('report whether the gateway responds', async () => {
    expect(await values('gateway_up')).to.deep.equal({ gateway_up: 1 });
  });

  it('count datagrams that are not lines of the log', async () => {
    for (const datagram of ['', 'nginx: {', '<190>nginx: {"status":"200"}', 'x'.repeat(70_000)])
      metrics.count(datagram);
    expect(await values('gateway_unreadable_lines_total')).to.deep.equal({ gateway_unreadable_lines_total: 4 });
  });
});
