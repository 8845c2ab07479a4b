import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as the server received it. */
export type Received = { method: string; path: string; headers: IncomingMessage['headers']; body: string; at: number };

export type Handler = (request: Received, response: ServerResponse) => void;

export type TestServer = {
  url: string;
  requests: Received[];
  /** Sets the handlers of the next requests, one each; the last one also handles all further requests. */
  answers(...handlers: Handler[]): void;
};

/** A server for the tests of the enclosing `describe`, which responds as each test specifies. */
export function useServer(): TestServer {
  let handlers: Handler[] = [];
  const state: TestServer = {
    url: '',
    requests: [],
    answers(...given) {
      handlers = given;
    },
  };
  const server = createServer((incoming, response) => {
    let body = '';
    incoming.on('data', (chunk: Buffer) => (body += chunk.toString()));
    incoming.on('end', () => {
      const { method = '', url = '', headers } = incoming;
      const request = { method, path: url, headers, body, at: performance.now() };
      state.requests.push(request);
      const handler = handlers.length > 1 ? handlers.shift() : handlers[0];
      if (handler === undefined) response.destroy();
      else handler(request, response);
    });
  });
  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    state.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  beforeEach(() => {
    state.requests.length = 0;
    handlers = [];
  });
  after(() => {
    server.close();
    server.closeAllConnections();
  });
  return state;
}

export const json =
  (status: number, value: unknown, headers: Record<string, string> = {}): Handler =>
  (_, response) => {
    response
      .writeHead(status, { 'content-type': 'application/json', ...headers })
      .end(value === undefined ? '' : JSON.stringify(value));
  };

export const problem = (status: number, code: string, headers: Record<string, string> = {}): Handler =>
  json(
    status,
    { type: `/docs/problems#${code}`, title: code, status, detail: `It is ${code}.`, code, request_id: 'r' },
    { 'x-request-id': 'r', ...headers },
  );

/** Cuts the connection before any response. */
export const cut: Handler = (_, response) => {
  response.destroy();
};

/** Cuts the connection in the middle of the body. */
export const halfAnswer =
  (status: number, value: unknown): Handler =>
  (_, response) => {
    const text = JSON.stringify(value);
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': String(text.length) });
    response.write(text.slice(0, text.length / 2), () => response.destroy());
  };

/** Never responds. */
export const silence: Handler = () => undefined;

/** Sends the header and the beginning of a body, and no more. */
export const stall: Handler = (_, response) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.write('{"data": [');
};

/** Makes the pauses between attempts as short as they can be, in the tests of the enclosing `describe`. */
export function useShortPauses(): void {
  usePauses(0);
}

/** Makes each pause this part of the longest one that it may be, in the tests of the enclosing `describe`. */
export function usePauses(part: number): void {
  const { random } = Math;
  before(() => {
    Math.random = () => part;
  });
  after(() => {
    Math.random = random;
  });
}
