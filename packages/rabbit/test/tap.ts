import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A proxy to the broker that can end the broker's stream at any byte, and insert bytes into it. */
export type Tap = {
  port: number;
  /** Ends each new connection after this number of bytes from the broker; with undefined, no connection is ended. */
  cutAfter(bytes: number | undefined): void;
  /** How many connections `cutAfter` has ended. */
  cutOff(): number;
  /** Sends bytes to all clients as if they came from the broker. */
  inject(bytes: Buffer): void;
  stop(): Promise<void>;
};

export async function createTap(targetPort: number): Promise<Tap> {
  const clients = new Set<Socket>();
  let limit: number | undefined;
  let cutOff = 0;

  const tap = createServer((client) => {
    const server = connect(targetPort, '127.0.0.1');
    let passed = 0;
    const end = (): void => {
      clients.delete(client);
      client.destroy();
      server.destroy();
    };
    clients.add(client);
    client.on('data', (chunk) => server.write(chunk));
    server.on('data', (chunk: Buffer) => {
      const rest = (limit ?? Infinity) - passed;
      passed += chunk.length;
      client.write(chunk.length > rest ? chunk.subarray(0, rest) : chunk);
      if (chunk.length < rest) return;
      cutOff += 1;
      end();
    });
    for (const socket of [client, server]) socket.on('error', end).on('close', end);
  });
  await new Promise<void>((resolve) => tap.listen(0, '127.0.0.1', resolve));
  const { port } = tap.address() as AddressInfo;

  return {
    port,
    cutAfter(bytes) {
      limit = bytes;
    },
    cutOff: () => cutOff,
    inject(bytes) {
      for (const client of clients) client.write(bytes);
    },
    async stop() {
      for (const client of clients) client.destroy();
      await new Promise((resolve) => tap.close(resolve));
    },
  };
}
