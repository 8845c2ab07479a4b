import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Handle = (request: IncomingMessage, response: ServerResponse) => void;

export type AnsweringServer = {
  url: string;
  /** The requests received, oldest first. */
  requests: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[];
  /** Replaces the handler of all later requests. */
  answer(handle: Handle): void;
  /** Ends all connections and stops listening; `url` then refuses connections. */
  stop(): Promise<void>;
};

/** An HTTP server on a free port that records its requests. */
export async function answeringServer(handle: Handle): Promise<AnsweringServer> {
  let current = handle;
  const requests: AnsweringServer['requests'] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      requests.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body });
      current(request, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answer: (next) => void (current = next),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Responds with this status and JSON body. */
export function json(status: number, body: unknown, headers: Record<string, string> = {}): Handle {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  };
}

/** Responds with a problem document of the contract (RFC 9457). */
export function problemAnswer(status: number, code: string, detail = 'It was used already.'): Handle {
  const type = `/docs/problems#${code}`;
  return json(status, { type, title: code, status, detail, code }, { 'content-type': 'application/problem+json' });
}

/** Calls the handlers one after the other, then the last one for all further requests. */
export function inTurn(...handles: [Handle, ...Handle[]]): Handle {
  const rest = [...handles];
  return (request, response) => (rest.length > 1 ? rest.shift() : rest[0])?.(request, response);
}

/** Never responds. */
export const hang: Handle = () => undefined;

/** Closes the connection without a response. */
export const cut: Handle = (request) => void request.socket.destroy();
