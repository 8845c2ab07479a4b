import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A response of a fake service: its status, and its body as JSON or, from 400 on, as a problem document. */
export type FakeResponse = [status: number, body: unknown];

export type FakeService = { url: string; stop(): Promise<void> };

/** Serves responses by method and path on a free port. */
export async function startFakeService(
  respond: (path: string, method: string, query: URLSearchParams) => Promise<FakeResponse>,
): Promise<FakeService> {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://fake.test');
    void respond(pathname, request.method ?? '', searchParams).then(([status, body]) => {
      response.writeHead(status, { 'content-type': status < 400 ? 'application/json' : 'application/problem+json' });
      response.end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The responses about a resource that Auth and Tasks have in common. */
export const notFound: FakeResponse = [404, { code: 'not_found', detail: 'Resource not found.' }];
export const gone: FakeResponse = [410, { code: 'gone', detail: 'It was deleted.' }];
