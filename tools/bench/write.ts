import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import autocannon from 'autocannon';
import pg from 'pg';
import { inheritedEnv } from '@taskwire/process-supervisor';
import { demoPeople } from '../../infra/local/people.ts';
import { freeSuitePorts } from '../../infra/local/ports.ts';
import { newSecrets } from '../../infra/local/secrets.ts';
import { startSuite, type Suite } from '../../infra/local/suite.ts';
import { median, perSecond, printFigures } from './figures.ts';
import { temporaryFolder } from './temporary-folder.ts';

const rounds = 3;
const secondsPerRound = 8;
/** Enough to keep two cores busy; more connections would only queue. */
const connections = 32;
/** The rate at which the tail latency is measured: a busy day's, not a flood's. */
const steadyRate = 500;

/**
 * Measures `POST /api/v1/tasks` (token, validation, rules, outbox, logs, metrics, relay) against a bare `node:http` and `pg` server that runs the
 * same statement on the same PostgreSQL, alternately.
 */
export async function measureWrite(): Promise<void> {
  console.log(
    `write: POST /api/v1/tasks, ${rounds} × ${secondsPerRound} s, ${connections} connections, synchronous commits`,
  );
  const { dir, remove } = temporaryFolder();
  const people = demoPeople.filter(({ role }) => role === 'manager');
  const suite = await startSuite({
    dir,
    ports: await freeSuitePorts(),
    secrets: newSecrets(),
    restarts: 'manual',
    people,
    // one user creates all the tasks
    env: { tasks: { TASK_CREATIONS_PER_MINUTE: '1000000' } },
  });
  const bare = await startBare(suite);
  try {
    const { token } = await logIn(suite);
    const body = JSON.stringify({ title: 'Water the plants' });
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
    const tasks = { url: `${suite.serviceUrl('tasks')}/api/v1/tasks`, method: 'POST' as const, headers, body };
    const ceiling = { url: bare.url, method: 'POST' as const, headers, body };

    await load({ ...ceiling, duration: 3 });
    await load({ ...tasks, duration: 3 });
    const rates: Record<'bare' | 'tasks', number[]> = { bare: [], tasks: [] };
    for (let round = 0; round < rounds; round++) {
      rates.bare.push((await load({ ...ceiling, duration: secondsPerRound })).rate);
      await idle(suite);
      rates.tasks.push((await load({ ...tasks, duration: secondsPerRound })).rate);
      await idle(suite);
    }
    const steady = await load({ ...tasks, duration: 10, overallRate: steadyRate });
    const top = median(rates.bare);
    printFigures('write (median of the rounds)', [
      { what: 'ceiling: node:http + pg, the same statement', value: perSecond(top, 'requests') },
      {
        what: 'POST /api/v1/tasks',
        value: perSecond(median(rates.tasks), 'requests'),
        ratio: median(rates.tasks) / top,
      },
      { what: `at ${steadyRate} requests/s, p50`, value: `${steady.p50} ms` },
      { what: `at ${steadyRate} requests/s, p99`, value: `${steady.p99} ms` },
    ]);
  } finally {
    bare.stop();
    await suite.stop();
    remove();
  }
}

type Load = { rate: number; p50: number; p99: number };

async function load(options: autocannon.Options): Promise<Load> {
  const result = await autocannon({ connections, ...options });
  const failed = result.errors + result.timeouts + result.non2xx;
  if (failed > 0) throw new Error(`${failed} of ${result.requests.total} requests failed`);
  return { rate: result.requests.total / result.duration, p50: result.latency.p50, p99: result.latency.p99 };
}

/** Waits until the relay has caught up, so that one round's backlog does not become the next round's load. */
async function idle(suite: Suite): Promise<void> {
  const client = new pg.Client({ connectionString: suite.databaseUrl('tasks') });
  await client.connect();
  const waiting = async () => (await client.query('SELECT FROM outbox LIMIT 1')).rowCount !== 0;
  while (await waiting()) await new Promise((resolve) => setTimeout(resolve, 100));
  await client.query('CHECKPOINT').catch(() => undefined);
  await client.end();
}

async function logIn(suite: Suite): Promise<{ token: string }> {
  const [person] = demoPeople.filter(({ role }) => role === 'manager');
  const response = await fetch(`${suite.url}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: person?.email, password: person?.password }),
  });
  if (!response.ok) throw new Error(`the log-in returned ${response.status}: ${await response.text()}`);
  const { access_token: token } = (await response.json()) as { access_token: string };
  return { token };
}

/**
 * Starts the bare server, which writes to Tasks' own tables, so that both have the same indexes and the same data; its outbox rows are relayed too.
 */
async function startBare(suite: Suite): Promise<{ url: string; stop(): void }> {
  const script = fileURLToPath(new URL('bare-server.ts', import.meta.url));
  const child = spawn(process.execPath, [script, suite.databaseUrl('tasks'), '019aa1b2-0000-7000-8000-000000000001'], {
    env: inheritedEnv(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString().trim()));
    child.once('exit', (code) => reject(new Error(`the bare server ended with ${code}`)));
  });
  return { url: `http://127.0.0.1:${port}/`, stop: () => void child.kill() };
}
