import { mkdtemp, readFile, rm } from 'node:fs/promises';
import {
  createServer,
  request,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  type Server,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts, startNginx } from '@taskwire/process-supervisor';
import { renderGateway, type GatewayOptions } from '../render.ts';

export type Answer = { status: number; headers: IncomingHttpHeaders; rawHeaders: string[]; text: string };
export type Sent = {
  method?: string;
  path: string;
  headers?: Record<string, string | string[]>;
  body?: string | Buffer;
};
/** A request as received by an upstream. */
export type Seen = { service: string; method: string; path: string; headers: IncomingHttpHeaders };

/** A real nginx with the rendered configuration in front of three servers that respond with the request they received. */
export type TestGateway = {
  port: number;
  send(sent: Sent): Promise<Answer>;
  /** Sends a request like `send`, and expects a response from a service. Returns the request that the service received. */
  seen(sent: Sent): Promise<Seen>;
  log(): Promise<Record<string, unknown>[]>;
  stop(): Promise<void>;
};

type TestGatewayOptions = Partial<Omit<GatewayOptions, 'port' | 'prefixDir'>> & {
  /** Request listeners that replace the servers that respond with the request they received. */
  services?: Partial<Record<'auth' | 'tasks' | 'notifications', RequestListener>>;
};

export async function startGateway(given: TestGatewayOptions = {}): Promise<TestGateway> {
  const { services = {}, ...options } = given;
  const prefixDir = await mkdtemp(join(tmpdir(), 'taskwire-gateway-'));
  const servers = {
    auth: await listen(services.auth ?? echo('auth')),
    tasks: await listen(services.tasks ?? echo('tasks')),
    notifications: await listen(services.notifications ?? echo('notifications')),
  };
  const [port] = (await freePorts(1)) as [number];
  const upstreams = {
    auth: address(servers.auth),
    tasks: address(servers.tasks),
    notifications: address(servers.notifications),
  };
  const closeServices = () => {
    for (const server of Object.values(servers)) server.close().closeAllConnections();
  };
  const conf = renderGateway({ upstreams, docsRoot: prefixDir, workers: 1, ...options, port, prefixDir });
  const logFile = join(prefixDir, 'nginx.log');
  const nginx = await startNginx({ dir: prefixDir, conf, port, logFile }).catch((error: unknown) => {
    closeServices(); // they would keep the test process alive
    throw error;
  });
  const send = (sent: Sent) => exchange(port, sent);
  return {
    port,
    send,
    seen: async (sent) => JSON.parse((await send(sent)).text) as Seen,
    log: async () => {
      // the log line of a request is written after its response, but before the only worker handles the next request
      await send({ path: '/health' });
      const lines = (await readFile(join(prefixDir, 'access.log'), 'utf8')).trim().split('\n');
      return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    },
    stop: async () => {
      await nginx.stop();
      closeServices();
      await rm(prefixDir, { recursive: true });
    },
  };
}

/** Sends the path exactly as written, which `fetch` would not. */
function exchange(port: number, { method = 'GET', path, headers = {}, body }: Sent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: '127.0.0.1', port, method, path, headers, agent: false, maxHeaderSize: 65_536 },
      (response: IncomingMessage) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            rawHeaders: response.rawHeaders,
            text: Buffer.concat(chunks).toString(),
          }),
        );
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

function echo(service: string): RequestListener {
  return (request_, response) => {
    const { method = '', url = '', headers } = request_;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ service, method, path: url, headers } satisfies Seen));
  };
}

async function listen(listener: RequestListener): Promise<Server> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

function address(server: Server): string {
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}
