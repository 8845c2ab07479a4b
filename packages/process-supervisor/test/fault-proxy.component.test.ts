import { expect } from 'chai';
import { once } from 'node:events';
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createHttpServer } from 'node:http';
import { startFaultProxy, type FaultProxy } from '../src/index.ts';

describe('the fault proxy', () => {
  let echo: Server;
  let accepted: Socket[];
  let proxy: FaultProxy;

  beforeEach(async () => {
    accepted = [];
    echo = createServer((socket) => {
      accepted.push(socket.on('error', () => undefined));
      socket.on('data', (bytes) => socket.write(bytes));
    });
    proxy = await startFaultProxy({ targetPort: await listening(echo) });
  });
  afterEach(async () => {
    await proxy.stop();
    accepted.forEach((socket) => socket.destroy());
    await new Promise((resolve) => echo.close(resolve));
  });

  it('forwards megabytes in both directions unchanged, and the end of a stream', async () => {
    const sent = Buffer.alloc(3 * 1024 * 1024, 'abcdefg');
    const client = await open(proxy);
    const received: Buffer[] = [];
    client.on('data', (bytes: Buffer) => received.push(bytes));
    client.end(sent);
    await once(client, 'end');
    expect(Buffer.concat(received).equals(sent)).equal(true);
  });

  it('resets open and new connections while the link is cut, and accepts new ones after it has healed', async () => {
    const before = await open(proxy);
    await echoed(before, 'hello');
    proxy.set({ kind: 'cut' });
    expect(await failure(before)).equal('ECONNRESET');
    expect(await failure(connect(proxy.port, '127.0.0.1'))).equal('ECONNRESET');
    proxy.heal();
    await echoed(await open(proxy), 'again');
  });

  it('delays each direction', async () => {
    const client = await open(proxy);
    await echoed(client, 'warm');
    proxy.set({ kind: 'delay', ms: 60 });
    const began = performance.now();
    await echoed(client, 'late');
    expect(performance.now() - began).above(110);
  });

  it('keeps the order of bytes sent before and after the link healed', async () => {
    const client = await open(proxy);
    proxy.set({ kind: 'delay', ms: 60 });
    const answer = read(client, 'late, early');
    client.write('late, ');
    // once the proxy has forwarded bytes of another connection, it has also received these bytes
    await echoed(await open(proxy), 'hello');
    client.write('early');
    proxy.heal();
    await answer;
  });

  it('throttles each direction, and lets the bytes of one write through one after the other', async () => {
    proxy.set({ kind: 'throttle', bytesPerSecond: 100_000 });
    const began = performance.now();
    const text = 'x'.repeat(10_000);
    const client = await open(proxy);
    const answer = read(client, text);
    const first = once(client, 'data').then(([bytes]) => (bytes as Buffer).length);
    client.write(text);
    await answer;
    // 100 ms for one direction, and at least as long as one piece for the other, which begins earlier
    expect(performance.now() - began).above(140);
    expect(await first).below(10_000);
  });

  it('drops both directions of a half-open link without notifying either side', async () => {
    const client = await open(proxy);
    await echoed(client, 'hello');
    const server = accepted[0]!;
    const events: string[] = [];
    for (const [name, socket] of Object.entries({ client, server }))
      for (const event of ['data', 'end', 'close', 'error']) socket.on(event, () => events.push(`${name} ${event}`));
    proxy.set({ kind: 'half_open' });
    client.write('lost');
    server.write('lost too');
    const late = await open(proxy);
    late.write('into the dark');
    late.on('data', () => events.push('late data'));
    // a healthy proxy forwards bytes in both directions during the time in which this one forwards none
    const healthy = await startFaultProxy({ targetPort: (echo.address() as AddressInfo).port });
    await echoed(await open(healthy), 'hello');
    await healthy.stop();
    expect(events).deep.equal([]);

    const serverEnd = failure(server);
    proxy.heal();
    expect(await serverEnd).equal('ECONNRESET');
    await echoed(await open(proxy), 'new ones work');
    expect(events.filter((event) => event.startsWith('client'))).deep.equal([]);
    late.destroy();
    client.destroy();
  });

  it('forwards requests but no responses over a mute link, and resets its connections when it heals', async () => {
    const client = await open(proxy);
    await echoed(client, 'hello');
    proxy.set({ kind: 'mute' });
    const answers: unknown[] = [];
    client.on('data', (bytes) => answers.push(bytes));
    client.write('heard');
    const late = await open(proxy);
    late.on('data', (bytes) => answers.push(bytes));
    late.write('heard too');
    while (accepted.length < 2) await once(echo, 'connection');
    await Promise.all(accepted.map(async (socket) => socket.bytesRead < 9 && (await once(socket, 'data'))));
    const ends = Promise.all([failure(client), failure(late)]);
    proxy.heal();
    expect(await ends).deep.equal(['ECONNRESET', 'ECONNRESET']);
    expect(answers).deep.equal([]);
    await echoed(await open(proxy), 'new ones work');
  });

  it('responds to HTTP requests itself, even on connections that were kept alive, until it heals', async () => {
    const server = createHttpServer((_request, response) => response.end('fine'));
    const http = await startFaultProxy({ targetPort: await listening(server) });
    const url = `http://127.0.0.1:${http.port}/`;
    expect(await (await fetch(url)).text()).equal('fine');
    http.set({ kind: 'answer', status: 503, retryAfterSeconds: 2 });
    const refused = await fetch(url);
    expect([refused.status, refused.headers.get('retry-after')]).deep.equal([503, '2']);
    await refused.body?.cancel();
    http.heal();
    expect((await fetch(url)).status).equal(200);
    await http.stop();
    server.closeAllConnections();
    server.close();
  });

  it('resets the client when nothing listens behind it', async () => {
    accepted.forEach((socket) => socket.destroy());
    await new Promise((resolve) => echo.close(resolve));
    expect(await failure(connect(proxy.port, '127.0.0.1'))).equal('ECONNRESET');
    echo.listen(0, '127.0.0.1');
  });
});

describe('the fault proxy in front of several servers', () => {
  let servers: Server[];
  let ports: number[];
  let proxy: FaultProxy;

  beforeEach(async () => {
    servers = ['a', 'b'].map((name) => createServer((socket) => socket.on('error', () => undefined).end(name)));
    ports = await Promise.all(servers.map(listening));
    proxy = await startFaultProxy({ targetPort: ports });
  });
  afterEach(async () => {
    await proxy.stop();
    servers.forEach((server) => server.close());
  });

  async function answers(count: number): Promise<string[]> {
    const found: string[] = [];
    for (let n = 0; n < count; n++) {
      const [bytes] = (await once(await open(proxy), 'data')) as [Buffer];
      found.push(String(bytes));
    }
    return found.toSorted();
  }

  it('distributes connections in turn', async () => {
    expect(await answers(4)).deep.equal(['a', 'a', 'b', 'b']);
  });

  it('skips servers that are down, and returns to them once they are back', async () => {
    await new Promise((resolve) => servers[0]!.close(resolve));
    expect(await answers(4)).deep.equal(['b', 'b', 'b', 'b']);
    servers[0]!.listen(ports[0], '127.0.0.1');
    await once(servers[0]!, 'listening');
    expect(new Set(await answers(4))).deep.equal(new Set(['a', 'b']));
  });

  it('resets the client when nothing listens behind it', async () => {
    await Promise.all(servers.map(async (server) => await new Promise((resolve) => server.close(resolve))));
    expect(await failure(connect(proxy.port, '127.0.0.1'))).equal('ECONNRESET');
  });
});

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function open(proxy: FaultProxy): Promise<Socket> {
  const client = connect({ port: proxy.port, host: '127.0.0.1', noDelay: true });
  await once(client, 'connect');
  return client.on('error', () => undefined);
}

async function echoed(client: Socket, text: string): Promise<void> {
  client.write(text);
  await read(client, text);
}

async function read(client: Socket, expected: string): Promise<void> {
  let received = '';
  while (received.length < expected.length) received += String((await once(client, 'data'))[0]);
  expect(received).equal(expected);
}

async function failure(socket: Socket): Promise<string | undefined> {
  return await new Promise((resolve) => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
    socket.once('close', () => resolve(undefined));
    socket.on('data', () => undefined);
  });
}
