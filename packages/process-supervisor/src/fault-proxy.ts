import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { openLine, type Line, type LinkFault } from './fault-line.ts';

/** A TCP proxy on 127.0.0.1 that can inject faults into its link. */
export type FaultProxy = {
  port: number;
  /** Applies this fault to the link, replacing any other fault. */
  set(fault: LinkFault): void;
  heal(): void;
  /** Resets open connections; new ones work. */
  reset(): void;
  /** The number of connections open on the client's side. */
  connections(): number;
  /** Resolves once everything is closed. */
  stop(): Promise<void>;
};

export type FaultProxyOptions = {
  /**
   * The target server's port on 127.0.0.1; the server need not be listening yet. With several ports, the proxy connects to each in turn, and to the
   * next one if a connection is refused, like a load balancer without health checks.
   */
  targetPort: number | readonly number[];
  /** The port to listen on; a free one by default. */
  port?: number;
};

type Connection = {
  client: Socket;
  server: Socket | undefined;
  /** The lines to the server and to the client. */
  lines: Line[];
  lost: boolean;
  muted: boolean;
};

/** Starts a proxy with a healthy link. @throws if the port is in use. */
export async function startFaultProxy({ targetPort, port = 0 }: FaultProxyOptions): Promise<FaultProxy> {
  const targets = typeof targetPort === 'number' ? [targetPort] : targetPort;
  let turn = 0;
  const nextTarget = () => targets[turn++ % targets.length] ?? 0;
  const connections = new Set<Connection>();
  let fault: LinkFault | undefined;
  const answering = answeringServer(() => fault);

  const listener = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
    // a socket always closes after an error, and only its close is handled
    client.on('error', () => undefined);
    if (fault?.kind === 'cut') return void client.resetAndDestroy();
    client.setNoDelay(true);
    const connection: Connection = {
      client,
      server: undefined,
      lines: [],
      lost: fault?.kind === 'half_open',
      muted: false,
    };
    connections.add(connection);
    client.once('close', () => {
      // the server behind a half-open link is not notified of the end
      if (!connection.lost) destroy(connection.server);
      removeIfClosed(connection);
    });
    if (fault?.kind !== 'answer' && !connection.lost) return join(connection, targets.length);
    client.resume();
    if (fault?.kind === 'answer') answering.emit('connection', client);
  });

  /** `tries`: the number of targets to try until one accepts the connection. */
  function join(connection: Connection, tries: number): void {
    const { client } = connection;
    const server = connect({ port: nextTarget(), host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    let isConnected = false;
    connection.server = server;
    server.on('error', () => undefined);
    server.once('connect', () => {
      isConnected = true;
      connection.lines = [openLine(client, server), openLine(server, client)];
      applyTo(connection);
      client.resume();
    });
    server.once('close', () => {
      if (!isConnected && !connection.lost && tries > 1 && !client.destroyed) return join(connection, tries - 1);
      if (!connection.lost) reset(client);
      // a socket reports its end only while it is being read
      else if (!isConnected) client.resume();
      removeIfClosed(connection);
    });
  }

  function applyTo(connection: Connection): void {
    const [toServer, toClient] = connection.lines;
    if (fault?.kind === 'mute') connection.muted = true;
    const dropping: LinkFault = { kind: 'half_open' };
    const current = fault?.kind === 'mute' ? undefined : fault;
    toServer?.set(connection.lost ? dropping : current);
    toClient?.set(connection.lost || connection.muted ? dropping : current);
  }

  function removeIfClosed(connection: Connection): void {
    if (connection.client.destroyed && connection.server?.destroyed !== false) connections.delete(connection);
  }

  function apply(): void {
    for (const connection of connections) {
      if (fault?.kind === 'half_open') connection.lost = true;
      applyTo(connection);
    }
  }

  function resetOpen(): void {
    for (const { client, server, lost } of connections) if (!lost) [client, server].forEach(reset);
  }

  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject);
    listener.listen({ port, host: '127.0.0.1' }, () => resolve());
  });
  return {
    port: (listener.address() as AddressInfo).port,
    set(next) {
      fault = next;
      if (next.kind === 'cut' || next.kind === 'answer') resetOpen();
      apply();
    },
    heal() {
      fault = undefined;
      for (const { client, server, lost, muted } of connections) {
        if (lost) reset(server);
        // part of the stream is missing
        else if (muted) [client, server].forEach(reset);
      }
      apply();
    },
    reset: resetOpen,
    connections: () => [...connections].filter(({ client }) => !client.destroyed).length,
    async stop() {
      for (const { client, server } of connections) [client, server].forEach(reset);
      answering.close();
      await new Promise<void>((resolve) => listener.close(() => resolve()));
    },
  };
}

const resetting = new WeakSet<Socket>();

function reset(socket: Socket | undefined): void {
  if (socket === undefined || resetting.has(socket)) return;
  // a connecting socket cannot send a RST, and a socket that has ended its stream no longer sends one
  if (socket.connecting || socket.writableEnded) return void socket.destroy();
  resetting.add(socket);
  socket.resetAndDestroy();
}

/** Destroys a socket unless it is being reset: Node would not close the handle of such a socket, which would keep the process running. */
function destroy(socket: Socket | undefined): void {
  if (socket !== undefined && !resetting.has(socket)) socket.destroy();
}

/** A server that does not listen itself; the proxy passes connections to it. */
function answeringServer(fault: () => LinkFault | undefined): HttpServer {
  return createHttpServer((request, response) => {
    request.resume();
    const answer = fault();
    if (answer?.kind !== 'answer') return void request.socket.destroy();
    const { status, retryAfterSeconds } = answer;
    response.writeHead(status, {
      'content-type': 'application/problem+json',
      // the next request must be subject to the fault that the link has at that time
      connection: 'close',
      ...(retryAfterSeconds !== undefined && { 'retry-after': String(retryAfterSeconds) }),
    });
    response.end(JSON.stringify({ type: 'about:blank', title: 'Fault proxy', status, code: 'unavailable' }));
  });
}
