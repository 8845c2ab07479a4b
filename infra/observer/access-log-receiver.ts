import { createSocket, type Socket } from 'node:dgram';
import type { GatewayMetrics } from './gateway-metrics.ts';

/** A burst of requests is buffered while this process is busy with a scrape. In bytes; the kernel may allow less. */
const bufferBytes = 4 * 1024 * 1024;

/** Counts each line of the access log that nginx sends to a UDP port. Files are not involved, so they may be rotated or truncated at any time. */
export async function receiveAccessLog(metrics: GatewayMetrics, at: { host: string; port: number }): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: bufferBytes });
  socket.on('message', (datagram) => metrics.count(datagram.toString('utf8')));
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(at.port, at.host, resolve);
  });
  return socket;
}
