import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export type ReceivedRequest = { path: string; headers: IncomingHttpHeaders; body: Buffer };

/** How a receiver responds: with a status and headers, or never. */
export type ReceiverAnswer = { status: number; headers?: Record<string, string> } | 'hang';

/** A real HTTP server to which a process sends traces or error reports. */
export type Receiver = {
  url: string;
  /** The requests so far, including those that got no response; only the latest `keep`. */
  requests: ReceivedRequest[];
  /** Changes the response to later requests; by default 200. */
  answer(answer: ReceiverAnswer): void;
  stop(): Promise<void>;
};

export async function startReceiver({ keep = Infinity } = {}): Promise<Receiver> {
  const requests: ReceivedRequest[] = [];
  let answer: ReceiverAnswer = { status: 200 };
  const server = createServer((request, response) => {
    void buffer(request).then((body) => {
      requests.push({ path: request.url ?? '', headers: request.headers, body });
      if (requests.length > keep) requests.shift();
      if (answer !== 'hang') response.writeHead(answer.status, answer.headers).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answer: (next) => (answer = next),
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
