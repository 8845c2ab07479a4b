import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/**
 * The ceiling of the token endpoint: node:http and node:crypto that verify one assertion (ES256), sign one token (ES256), and do nothing else (no
 * client look-up, no stored jti, no grants, no logs, no metrics). Runs as a separate process; prints its port on stdout, and reports its CPU time in
 * seconds at /cpu.
 */
const [clientKeyPem, ownKeyPem] = process.argv.slice(2);
if (clientKeyPem === undefined || ownKeyPem === undefined) {
  throw new Error('usage: tokens-bare.ts <public key of the client, PEM> <private key of the server, PEM>');
}
const clientKey = { key: createPublicKey(clientKeyPem), dsaEncoding: 'ieee-p1363' } as const;
const ownKey = { key: createPrivateKey(ownKeyPem), dsaEncoding: 'ieee-p1363' } as const;
const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url === '/cpu') {
    const { user, system } = process.cpuUsage();
    response.end(String((user + system) / 1e6));
    return;
  }
  const assertion = new URLSearchParams(await text(request)).get('client_assertion') ?? '';
  const [header = '', payload = '', signature = ''] = assertion.split('.');
  const now = Math.floor(Date.now() / 1000);
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, string | number>;
  const isSigned = verify(
    'sha256',
    Buffer.from(`${header}.${payload}`),
    clientKey,
    Buffer.from(signature, 'base64url'),
  );
  if (!isSigned || Number(claims['exp']) < now) {
    response.writeHead(401).end();
    return;
  }
  const { iss, sub, jti } = claims;
  const token = {
    iss,
    sub,
    jti,
    client_id: sub,
    scope: 'users:read',
    aud: 'urn:taskwire:auth',
    iat: now,
    exp: now + 600,
  };
  const signed = `${encode({ alg: 'ES256', typ: 'at+jwt', kid: 'one' })}.${encode(token)}`;
  const access_token = `${signed}.${sign('sha256', Buffer.from(signed), ownKey).toString('base64url')}`;
  response
    .writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    .end(JSON.stringify({ access_token, token_type: 'Bearer', expires_in: 600, scope: 'users:read' }));
}

const server = createServer((request, response) => void answer(request, response));
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
