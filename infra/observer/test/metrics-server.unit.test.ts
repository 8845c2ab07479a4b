import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { Counter, Registry } from 'prom-client';
import { serveMetrics } from '../metrics-server.ts';

describe('The server of metrics', () => {
  it('serves the registry to Prometheus and a path for health checks, and nothing else', async () => {
    const registry = new Registry();
    new Counter({ name: 'lines_total', help: 'Lines.', registers: [registry] }).inc(3);
    const server = await serveMetrics(registry, { host: '127.0.0.1', port: 0 });
    try {
      const get = async (path: string) =>
        await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`);
      expect(await (await get('/metrics')).text()).to.include('lines_total 3');
      expect((await get('/ready')).status).to.equal(200);
      expect((await get('/other')).status).to.equal(404);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
