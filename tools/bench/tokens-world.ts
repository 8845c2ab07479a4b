import { spawn } from 'node:child_process';
import { createHash, generateKeyPairSync, randomBytes, randomUUID, sign, type KeyObject } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { inheritedEnv } from '@taskwire/process-supervisor';
import { demoPeople, type Person } from '../../infra/local/people.ts';
import { freeSuitePorts } from '../../infra/local/ports.ts';
import { newSecrets } from '../../infra/local/secrets.ts';
import { serviceClients } from '../../infra/local/service-clients.ts';
import { startSuite } from '../../infra/local/suite.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** A server that accepts token requests, and its CPU time so far, in seconds. */
export type TokenServer = { tokenUrl: string; cpuSeconds(): Promise<number> };

export type TokensWorld = {
  authUrl: string;
  issuer: string;
  auth: TokenServer;
  /** The ceiling: see tokens-bare.ts. */
  bare: TokenServer;
  /** The Authorization header of a client with a secret. */
  basic: string;
  /** Returns a fresh assertion of a client with a key. */
  assertion(): string;
  person: Person;
  stop(): Promise<void>;
};

const readUsers = [{ audience: 'urn:taskwire:auth', scopes: ['users:read'] }];

/** A running suite whose Auth has a client with a secret and one with a key, and the bare server. */
export async function startTokensWorld(): Promise<TokensWorld> {
  const { dir, remove } = temporaryFolder();
  const secrets = newSecrets();
  const secret = randomBytes(32).toString('base64url');
  const client = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const clients = [
    ...serviceClients(secrets.clientKeys),
    { client_id: 'bench-key', jwks: { keys: [client.publicKey.export({ format: 'jwk' })] }, grants: readUsers },
    {
      client_id: 'bench-secret',
      secret_hash: createHash('sha256').update(secret).digest('base64url'),
      grants: readUsers,
    },
  ];
  const people = demoPeople.filter(({ role }) => role === 'manager');
  const suite = await startSuite({
    dir,
    ports: await freeSuitePorts(),
    secrets,
    restarts: 'manual',
    people,
    // a single user logs in continuously, from one address
    env: {
      auth: {
        OIDC_CLIENTS: JSON.stringify(clients),
        LOGIN_FAILURES_PER_ACCOUNT_AND_IP: '1000000',
        LOGIN_FAILURES_PER_ACCOUNT: '1000000',
      },
    },
  });
  const issuer = `${suite.url}/oidc`;
  const authUrl = suite.serviceUrl('auth');
  const bare = await startBare(client.publicKey);
  const [person] = people;
  if (person === undefined) throw new Error('there is no manager among the demo users');
  return {
    authUrl,
    issuer,
    auth: { tokenUrl: `${authUrl}/oidc/token`, cpuSeconds: async () => await cpuOf(authUrl) },
    bare,
    basic: `Basic ${Buffer.from(`bench-secret:${secret}`).toString('base64')}`,
    assertion: () => newAssertion(issuer, client.privateKey),
    person,
    async stop() {
      bare.stop();
      await suite.stop();
      remove();
    },
  };
}

/** The CPU time of all threads of the process, as it reports itself. */
async function cpuOf(serviceUrl: string): Promise<number> {
  const metrics = await (await fetch(`${serviceUrl}/metrics`)).text();
  return Number(/^process_cpu_seconds_total(?:\{[^}]*\})? (\S+)/m.exec(metrics)?.[1]);
}

function newAssertion(issuer: string, privateKey: KeyObject): string {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: 'bench-key', sub: 'bench-key', aud: issuer, jti: randomUUID(), iat: now, exp: now + 280 };
  const text = [{ alg: 'ES256', typ: 'JWT' }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  const signature = sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
}

async function startBare(clientKey: KeyObject): Promise<TokenServer & { stop(): void }> {
  const script = fileURLToPath(new URL('tokens-bare.ts', import.meta.url));
  const ownKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const args = [
    script,
    clientKey.export({ format: 'pem', type: 'spki' }).toString(),
    ownKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
  ];
  const child = spawn(process.execPath, args, { env: inheritedEnv(), stdio: ['ignore', 'pipe', 'inherit'] });
  const port = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString().trim()));
    child.once('exit', (code) => reject(new Error(`the bare server ended with ${code}`)));
  });
  const url = `http://127.0.0.1:${port}`;
  return {
    tokenUrl: `${url}/token`,
    cpuSeconds: async () => Number(await (await fetch(`${url}/cpu`)).text()),
    stop: () => void child.kill(),
  };
}
