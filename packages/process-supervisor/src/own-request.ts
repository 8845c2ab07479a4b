import type { IncomingHttpHeaders } from 'node:http';

/**
 * Whether a request to a server on this machine comes from its own pages or from a program. Such a request names the server by an address of this machine (a
 * different name may be an attacker's DNS entry that points here), and has either no origin or the server's own.
 */
export function isOwnRequest({ host, origin }: IncomingHttpHeaders, port: number): boolean {
  const own = [`localhost:${port}`, `127.0.0.1:${port}`];
  if (host === undefined || !own.includes(host.toLowerCase())) return false;
  return origin === undefined || own.some((address) => origin === `http://${address}`);
}
