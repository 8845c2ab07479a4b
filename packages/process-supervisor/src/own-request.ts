import type { IncomingHttpHeaders } from 'node:http';

/**
 * Whether a request to a server on this machine comes from its own pages or from a program: it names the server by an address of this machine (a
 * different name may be a stranger's DNS entry pointing here), and has no origin or that of the server.
 */
export function isOwnRequest({ host, origin }: IncomingHttpHeaders, port: number): boolean {
  const own = [`localhost:${port}`, `127.0.0.1:${port}`];
  if (host === undefined || !own.includes(host.toLowerCase())) return false;
  return origin === undefined || own.some((address) => origin === `http://${address}`);
}
