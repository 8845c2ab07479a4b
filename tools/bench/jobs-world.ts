import { Agent, request } from 'node:http';
import pg from 'pg';
import { databaseUrl, provisionDatabase } from '@taskwire/process-supervisor';
import { addJobClient, jobClientToken } from '../../infra/local/job-client.ts';
import { demoPeople } from '../../infra/local/people.ts';
import { freeSuitePorts } from '../../infra/local/ports.ts';
import { newSecrets } from '../../infra/local/secrets.ts';
import { startSuite, type Suite } from '../../infra/local/suite.ts';
import { temporaryFolder } from './temporary-folder.ts';

export const queue = 'bench';

/** The suite with production settings, a client that sends and executes jobs, and a database for the peers on the same server. */
export type JobsWorld = {
  suite: Suite;
  /** Calls Tasks, without the gateway. @throws when the response is not 2xx. */
  post<T>(path: string, body: unknown): Promise<T>;
  /** Tasks' database. */
  pool: pg.Pool;
  peerUrl: string;
  /** An access token of an admin. */
  adminToken(): Promise<string>;
  /** The process ids of Tasks and PostgreSQL. */
  processes(): Map<string, number>;
  stop(): Promise<void>;
};

/** More than the concurrent requests of any measurement. */
const sockets = 64;

export async function startJobsWorld(): Promise<JobsWorld> {
  const { dir, remove } = temporaryFolder();
  const [ports, secrets] = [await freeSuitePorts(), newSecrets()];
  const suite = await startSuite({
    ...{ dir, ports, secrets, restarts: 'manual', people: demoPeople },
    gateway: { requestsPerSecond: 20_000, burst: 20_000, loginsPerMinute: 6_000, loginBurst: 1_000 },
  });
  const superuser = { login: 'postgres', password: secrets.database.superuser };
  const server = `postgres://127.0.0.1:${ports.postgres}/`;
  const peer = { database: 'bench_peers', login: 'bench_peers', password: secrets.database.superuser };
  await provisionDatabase(databaseUrl(server, { ...superuser, database: 'postgres' }), peer);
  const client = await addJobClient(suite, { id: 'bench', queue });
  let token = await jobClientToken(suite.url, client);
  // a token is valid for ten minutes
  const renewing = setInterval(() => {
    void jobClientToken(suite.url, client).then((renewed) => (token = renewed));
  }, 300_000);
  const agent = new Agent({ keepAlive: true, maxSockets: sockets });
  const pool = new pg.Pool({ connectionString: suite.databaseUrl('tasks'), max: 4 });
  const tasksUrl = suite.serviceUrl('tasks');

  return {
    ...{ suite, pool, peerUrl: databaseUrl(server, peer) },
    post: async (path, body) => await post({ agent, url: `${tasksUrl}${path}`, token, body }),
    async adminToken() {
      const { email, password } = demoPeople.find(({ role }) => role === 'admin') ?? {};
      const response = await fetch(`${suite.url}/api/v1/auth/login`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ email, password }),
      });
      return ((await response.json()) as { access_token: string }).access_token;
    },
    processes: () =>
      new Map((['tasks', 'postgres'] as const).map((name) => [name, suite.process(name).pid() ?? 0] as const)),
    async stop() {
      clearInterval(renewing);
      agent.destroy();
      await pool.end();
      await suite.stop();
      remove();
    },
  };
}

/** `node:http`, because `fetch` would use as much CPU time as Tasks. */
async function post<T>(o: { agent: Agent; url: string; token: string; body: unknown }): Promise<T> {
  const text = JSON.stringify(o.body);
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    authorization: `Bearer ${o.token}`,
  };
  return await new Promise<T>((resolve, reject) => {
    const sent = request(o.url, { method: 'POST', agent: o.agent, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const answer = Buffer.concat(chunks).toString();
        const { statusCode = 0 } = response;
        if (statusCode >= 300) reject(new Error(`${o.url}: ${statusCode} ${answer}`));
        else resolve(JSON.parse(answer) as T);
      });
    });
    sent.on('error', reject);
    sent.end(text);
  });
}
