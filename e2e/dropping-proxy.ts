import { Agent, createServer, request as send, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type DroppingProxy = { url: string; dropped(): number; forwarded(): number; close(): Promise<void> };

type ProxyOptions = {
  target: string;
  /** Responses of the API are dropped with this probability, and at most the given number in a row for one call. */
  probability: number;
  mostInARow: number;
  random: () => number;
};

/** A fifth of the faults happen before the request reaches the server, the others while its response returns. */
const lostRequests = 0.2;

/**
 * A proxy that closes connections: before it forwards a request, or after a random number of the response's bytes. Log-ins always pass, and so do a
 * browser's preflights, which belong to no call.
 */
export async function startDroppingProxy({
  target,
  probability,
  mostInARow,
  random,
}: ProxyOptions): Promise<DroppingProxy> {
  const agent = new Agent({ keepAlive: true });
  const inARow = new Map<string, number>();
  let dropped = 0;
  let forwarded = 0;

  function isDropped(request: IncomingMessage): boolean {
    if (request.url?.endsWith('/login') === true || request.method === 'OPTIONS') return false;
    const call = String(request.headers['x-request-id'] ?? request.url);
    const before = inARow.get(call) ?? 0;
    const drops = before < mostInARow && random() < probability;
    inARow.set(call, drops ? before + 1 : 0);
    if (drops) dropped += 1;
    return drops;
  }

  const server = createServer((request, response) => {
    const drops = isDropped(request);
    if (drops && random() < lostRequests) return void request.socket.destroy();
    const { method, url, headers } = request;
    const onward = send(new URL(url ?? '/', target), { method, headers, agent }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => {
        forwarded += 1;
        const bytes = Buffer.concat([headOf(answer, Buffer.concat(chunks).length), ...chunks]);
        passOn(response, bytes, drops ? Math.floor(random() * bytes.length) : undefined);
      });
    });
    onward.on('error', () => request.socket.destroy());
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    dropped: () => dropped,
    forwarded: () => forwarded,
    async close() {
      agent.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The status line and headers of a response with a body of known length. */
function headOf({ statusCode, statusMessage, rawHeaders }: IncomingMessage, length: number): Buffer {
  const lines = [`HTTP/1.1 ${statusCode} ${statusMessage}`];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    if (!/^(connection|keep-alive|transfer-encoding|content-length)$/i.test(name))
      lines.push(`${name}: ${rawHeaders[at + 1]}`);
  }
  lines.push('connection: close', ...(statusCode === 204 ? [] : [`content-length: ${length}`]));
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

/** Writes a response, or the beginning of one, and closes the connection. */
function passOn({ socket }: ServerResponse, bytes: Buffer, cutAt: number | undefined): void {
  if (cutAt === undefined) socket?.end(bytes);
  else socket?.write(bytes.subarray(0, cutAt), () => socket.destroy());
}
