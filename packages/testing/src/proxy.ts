import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A TCP proxy that stands for a network that fails. */
export type TestProxy = {
  port: number;
  /** The URL, through the proxy. */
  through(url: string): string;
  /** Ends all connections at once (RST), and refuses new ones until `heal`. */
  cut(): void;
  /** Passes nothing on any more and ends nothing, on the connections there are and on new ones: the peer is gone without a word. */
  freeze(): void;
  heal(): void;
  /** Ends each new connection after this many bytes of the server; undefined: none. */
  cutAfter(bytes: number | undefined): void;
  /** Sends bytes to all clients, as if the server had. */
  inject(bytes: Buffer): void;
  /** How many connections `cutAfter` has ended. */
  cutOff(): number;
  stop(): Promise<void>;
};

type Pair = { client: Socket; server: Socket };

/** @param target where the connections go, as the URL of a server */
export async function testProxy(target: string): Promise<TestProxy> {
  const { hostname, port } = new URL(target);
  const pairs = new Set<Pair>();
  let mode: 'open' | 'cut' | 'frozen' = 'open';
  let limit: number | undefined;
  let cutOff = 0;

  const proxy = createServer((client) => {
    if (mode === 'cut') return void client.resetAndDestroy();
    const pair: Pair = { client, server: connect(Number(port), hostname) };
    let passed = 0;
    const end = (): void => {
      // a frozen network tells nobody that the other side has ended
      if (mode === 'frozen') return;
      pairs.delete(pair);
      client.destroy();
      pair.server.destroy();
    };
    pairs.add(pair);
    client.on('data', (chunk) => mode === 'frozen' || pair.server.write(chunk));
    pair.server.on('data', (chunk: Buffer) => {
      if (mode === 'frozen') return;
      const rest = (limit ?? Infinity) - passed;
      passed += chunk.length;
      client.write(chunk.length > rest ? chunk.subarray(0, rest) : chunk);
      if (chunk.length < rest) return;
      cutOff += 1;
      end();
    });
    for (const socket of [client, pair.server]) socket.on('error', end).on('close', end);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const local = (proxy.address() as AddressInfo).port;

  function endAll(): void {
    for (const { client, server } of pairs) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
    pairs.clear();
  }

  return {
    port: local,
    through(url) {
      const through = new URL(url);
      through.host = `127.0.0.1:${local}`;
      return through.href;
    },
    cut() {
      mode = 'cut';
      endAll();
    },
    freeze() {
      mode = 'frozen';
    },
    heal() {
      // what was frozen has lost bytes, so it cannot go on
      if (mode === 'frozen') endAll();
      mode = 'open';
    },
    cutAfter(bytes) {
      limit = bytes;
    },
    inject(bytes) {
      for (const { client } of pairs) client.write(bytes);
    },
    cutOff: () => cutOff,
    async stop() {
      mode = 'cut';
      endAll();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}
