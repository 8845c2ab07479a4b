import { setTimeout as delay } from 'node:timers/promises';
import autocannon from 'autocannon';
import { percentile, perSecond, printFigures } from './figures.ts';
import type { TokensWorld } from './tokens-world.ts';

const seconds = 10;
/** The number of concurrent log-ins: a flood, but one that fits the queue of hashes (200). */
const floodConnections = 64;
/** The rate of other requests, per second. */
const steadyRate = 100;

/** Measures log-ins, whose rate argon2id limits, and their effect on logged-in users. */
export async function measureLogins(world: TokensWorld): Promise<void> {
  const login = {
    url: `${world.authUrl}/api/v1/auth/login`,
    method: 'POST' as const,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: world.person.email, password: world.person.password }),
  };
  const answer = await fetch(login.url, login);
  const { access_token: token } = (await answer.json()) as { access_token: string };
  const steady = async () => await steadily(`${world.authUrl}/api/v1/users/me`, token);

  await steady();
  const alone = await steady();
  const cpuBefore = await world.auth.cpuSeconds();
  const [flood, beside] = await Promise.all([
    autocannon({ ...login, connections: floodConnections, duration: seconds, timeout: 60 }),
    steady(),
  ]);
  const cpu = (await world.auth.cpuSeconds()) - cpuBefore;
  const failed = flood.errors + flood.timeouts + flood.non2xx;
  if (failed > 0) {
    const statuses = JSON.stringify(flood.statusCodeStats);
    throw new Error(`${failed} of ${flood.requests.total} log-ins failed, ${flood.timeouts} by time: ${statuses}`);
  }
  const ms = (samples: number[], share: number) => `${percentile(samples, share).toFixed(1)} ms`;
  printFigures(`log-ins, ${floodConnections} at once for ${seconds} s, beside ${steadyRate} × GET /users/me a second`, [
    { what: 'log-ins', value: perSecond(flood.requests.total / flood.duration, 'log-ins') },
    { what: 'log-ins per CPU second of Auth', value: perSecond(flood.requests.total / cpu, 'log-ins') },
    ...(
      [
        ['GET /users/me, without', alone],
        ['GET /users/me, with the flood', beside],
      ] as const
    ).flatMap(([what, samples]) => [
      { what: `${what}, p50`, value: ms(samples, 0.5) },
      { what: `${what}, p99`, value: ms(samples, 0.99) },
    ]),
  ]);
}

/**
 * Sends requests at a steady rate, without waiting for earlier responses. Returns the response time of each in milliseconds, measured from the moment
 * when the request was due.
 */
async function steadily(url: string, token: string): Promise<number[]> {
  const start = performance.now();
  const running: Promise<number>[] = [];
  for (let sent = 0; sent < steadyRate * seconds; sent++) {
    const dueAt = start + (sent * 1000) / steadyRate;
    const early = dueAt - performance.now();
    if (early > 0) await delay(early);
    running.push(answered(url, token, dueAt));
  }
  return await Promise.all(running);
}

async function answered(url: string, token: string, dueAt: number): Promise<number> {
  const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`GET /users/me returned ${response.status}`);
  return performance.now() - dueAt;
}
