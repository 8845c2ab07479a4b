import { createServer, type Server } from 'node:http';
import type { Registry } from 'prom-client';

/** Serves /metrics of a registry, and /ready for health checks. Resolves once it listens. */
export async function serveMetrics(registry: Registry, at: { host: string; port: number }): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.url === '/ready') return void response.end('ready\n');
    if (request.url !== '/metrics') return void response.writeHead(404).end();
    registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(at.port, at.host, resolve);
  });
  return server;
}
