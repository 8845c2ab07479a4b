import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

// Accepts and discards traces, and sends a message for each request.
const server = createServer((request, response) => {
  request.resume().once('end', () => {
    response.end();
    process.send?.({});
  });
});
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.once('disconnect', () => process.exit());
