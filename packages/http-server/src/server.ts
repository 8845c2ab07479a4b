import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { Server as NetServer, type AddressInfo, type Socket } from 'node:net';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import express, { type ErrorRequestHandler, type Express, type Request, type Response } from 'express';
import helmet from 'helmet';
import parseUrl from 'parseurl';
import proxyAddress from 'proxy-addr';
import { bodyLimitOf } from '@taskwire/contracts';
import { problem, type ProblemCode } from '@taskwire/errors';
import type { Component } from '@taskwire/lifecycle';
import type { Telemetry } from '@taskwire/telemetry';
import type { Authenticator } from './access/authenticator.ts';
import { observeRefusals, type OnRefusal } from './access/refusals.ts';
import type { BoundRoute } from './bind.ts';
import { refuseLargeBody } from './body/bytes.ts';
import { refuseWideQuery } from './body/parameters.ts';
import { operations, type ReadinessCheck } from './operations.ts';
import { problemDocument } from './problem-response.ts';
import { answerError, observeRequests, stateOf } from './request.ts';
import { readingOf } from './current-representation.ts';
import { routeHandler } from './route-handler.ts';
import { createRouter } from './router.ts';

/**
 * A path of a protocol that a contract cannot describe, such as OpenID Connect. The handler reads the request and sends the response itself. Errors
 * that it throws are sent as problems.
 */
export type RawRoute = {
  /** An Express path, for example `/oidc/authorize/:uid`. */
  path: string;
  handle: (request: Request, response: Response) => Promise<void>;
};

export type HttpServerOptions = {
  telemetry: Telemetry;
  host: string;
  /** 0 for any free port. */
  port: number;
  /** Proxies whose X-Forwarded-For is trusted, in Express's notation (`loopback`, `uniquelocal`, addresses, subnets). */
  trustedProxies: readonly string[];
  routes: readonly BoundRoute[];
  rawRoutes?: readonly RawRoute[];
  authenticator: Authenticator;
  /**
   * Called for each operation that an authenticated caller may not perform, before the 403 is sent; all refusals are counted and logged in any case.
   */
  onRefusal?: OnRefusal;
  readiness: Readonly<Record<string, ReadinessCheck>>;
  /** The epoch of the service's database, for entity tags; 1 if omitted. */
  sourceEpoch?: () => number;
  /** How long a whole request may take to arrive, in milliseconds; for tests that cannot wait for the usual 10 s. */
  requestTimeoutMs?: number;
  /**
   * How long `stop` leaves idle connections open, in milliseconds; 0 if omitted. A proxy may be sending a request on one of them, and could not
   * repeat a lost request. While stopping, each response asks for its connection to be closed, so that in the end only unused connections are left.
   */
  drainMs?: number;
};

export type HttpServer = Component & {
  /** The server's URL, once started. */
  url(): string;
};

/**
 * How long a whole request may take to arrive; after that the server responds with 408 and closes the connection. The largest body therefore needs 7
 * kB/s. The gateway passes bodies on as they arrive, so this limit also bounds how long a slow caller occupies a connection of the gateway.
 */
const requestTimeoutMs = 10_000;
/** How often to check for requests that take too long; with Node's default of 30 s, they could take four times as long. */
const timeoutCheckMs = 1_000;
/** Longer than the 60 s for which nginx keeps idle upstream connections, so that the gateway never writes into a closing socket. */
const keepAliveTimeoutMs = 75_000;
/** The interval at which newly idle connections are closed while stopping. */
const closeIdleEveryMs = 50;

/**
 * Serves the routes of a contract: authentication, authorization, validation and problem documents in one place, so that a handler deals only with
 * valid requests. `stop` closes the listener, serves requests on open connections for `drainMs`, lets running requests finish, then resolves.
 */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { telemetry } = options;
  let stopping = false;
  const arrivalMs = options.requestTimeoutMs ?? requestTimeoutMs;
  const server = createServer(
    {
      requestTimeout: arrivalMs,
      headersTimeout: arrivalMs,
      connectionsCheckingInterval: Math.min(timeoutCheckMs, arrivalMs),
      keepAliveTimeout: keepAliveTimeoutMs,
    },
    requestListener(options, () => stopping),
  );
  server.on('clientError', answerUnreadable);

  return {
    name: 'http server',
    url: () => {
      const { address, port, family } = server.address() as AddressInfo;
      return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
    },
    async start() {
      await listen(server, options.port, options.host);
      telemetry.logger.info('listening', { port: (server.address() as AddressInfo).port });
    },
    async stop() {
      if (!server.listening) return;
      stopping = true;
      // the close method of http.Server would close idle connections at once
      const closed = new Promise((resolve) => NetServer.prototype.close.call(server, resolve));
      await Promise.race([closed, delay(options.drainMs ?? 0)]);
      // closes idle connections, and stops the check for requests that take too long
      server.close(() => undefined);
      const closeIdleTimer = setInterval(() => server.closeIdleConnections(), closeIdleEveryMs);
      await closed;
      clearInterval(closeIdleTimer);
    },
  };
}

/**
 * Serves each request: the routes of the contract by this package's router, and everything else (probes, protocols, unknown paths) by Express. The steps
 * before routing are the same for both.
 */
function requestListener(options: HttpServerOptions, isStopping: () => boolean): RequestListener {
  const { telemetry, authenticator } = options;
  const isTrusted = proxyAddress.compile([...options.trustedProxies]);
  // an API has no pages: browsers must not frame its responses, nor run or load anything in them
  const setSecurityHeaders = helmet({
    contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
  });
  const observe = observeRequests(telemetry, isTrusted);
  const parts = {
    authenticator,
    sourceEpoch: options.sourceEpoch ?? (() => 1),
    refused: observeRefusals(telemetry, options.onRefusal),
    addressOf: (request: IncomingMessage) => proxyAddress(request, isTrusted) ?? '',
  };
  const routeOf = createRouter(
    options.routes.map((bound) => ({
      route: bound.route,
      handle: routeHandler(bound, parts, readingOf(bound, options.routes)),
    })),
  );
  const others = buildApp(options, isStopping);

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    refuseWideQuery(request.url ?? '');
    const match = routeOf(request.method ?? '', pathOf(request));
    if (match === undefined) others(request, response);
    else await match.found.handle(request, response, match.params);
  }

  return (request, response) => {
    setSecurityHeaders(request, response, () => undefined);
    if (isStopping()) response.setHeader('Connection', 'close');
    observe(request, response, () => {
      serve(request, response).catch((error: unknown) => answerError(telemetry, request, response, error));
    });
  };
}

/** @throws Problem `bad_request` for a request target that is not a URL. */
function pathOf(request: IncomingMessage): string {
  try {
    return parseUrl(request)?.pathname ?? '';
  } catch (cause) {
    throw problem('bad_request', undefined, { cause });
  }
}

function buildApp(options: HttpServerOptions, isStopping: () => boolean): Express {
  const { telemetry } = options;
  const app = express();
  // paths match exactly, like those of the contract's routes
  app.set('case sensitive routing', true);
  app.set('strict routing', true);
  app.set('etag', false);
  app.set('trust proxy', [...options.trustedProxies]);
  app.disable('x-powered-by');
  app.use(operations(telemetry, options.readiness, isStopping));
  for (const { path, handle } of options.rawRoutes ?? []) {
    app.all(path, async (request, response) => {
      stateOf(request).route = path;
      refuseLargeBody(request, bodyLimitOf({ path }));
      await handle(request, response);
    });
  }
  app.use(() => {
    throw problem('not_found', 'There is no resource at this path.');
  });
  const onError: ErrorRequestHandler = (error, request, response, _next) =>
    answerError(telemetry, request, response, error);
  app.use(onError);
  return app;
}

async function listen(server: Server, port: number, host: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Node's internal reference from a socket to its current response; null between requests. */
type HttpSocket = Socket & { _httpMessage?: ServerResponse | null };

/**
 * Responds with a problem to input that is not HTTP, has headers that are too large, or took too long to arrive, and closes the connection. The
 * response to a request already being handled carries that request's own id.
 */
function answerUnreadable(error: NodeJS.ErrnoException, socket: HttpSocket): void {
  const response = socket._httpMessage ?? undefined;
  if (error.code === 'ECONNRESET' || !socket.writable || response?.headersSent === true) {
    socket.destroy();
    return;
  }
  const requestId = String(response?.getHeader('X-Request-Id') ?? randomUUID());
  const document = problemDocument(problem(parserErrorCodes[error.code ?? ''] ?? 'bad_request'), requestId);
  const body = JSON.stringify(document.body);
  const headers = { ...document.headers, connection: 'close', 'content-length': Buffer.byteLength(body) };
  if (response !== undefined) {
    response.writeHead(document.status, headers).end(body);
    return;
  }
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${document.status} ${document.body['title']}\r\n${head.join('')}\r\n${body}`);
}

/** Problem codes for errors of Node's parser and timeouts; all others are `bad_request`. */
const parserErrorCodes: Readonly<Record<string, ProblemCode>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
};
