import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describeExit, StartError } from '@taskwire/process-supervisor';
import type { Release } from './own-servers.ts';

export type Person = { email: string; name: string; role: 'admin' | 'manager' | 'member'; password: string };

/**
 * The password of all demo users. It is hard to guess, because Auth rejects passwords that are easy to guess. A suite that was seeded with a
 * different password keeps it.
 */
export const demoPassword = 'plum-kettle-orbit';

/** The users who can log in to a local suite after its first start. No service creates them by itself. */
export const demoPeople: readonly Person[] = [
  { email: 'admin@taskwire.test', name: 'Ada Admin', role: 'admin' as const },
  { email: 'manager@taskwire.test', name: 'Mia Manager', role: 'manager' as const },
  { email: 'ann@taskwire.test', name: 'Ann', role: 'member' as const },
  { email: 'ben@taskwire.test', name: 'Ben', role: 'member' as const },
  { email: 'cas@taskwire.test', name: 'Cas', role: 'member' as const },
].map((person) => ({ ...person, password: demoPassword }));

/** Hashing one password takes about 50 ms; the rest of the time is for starting the process while the machine starts everything else. */
const timeoutMs = 60_000;

/**
 * Adds all users with one process of Auth's own command, which is also how an operator adds the first admin. Existing users stay unchanged.
 * @throws StartError that says why a user could not be added.
 */
export async function addPeople(
  people: readonly Person[],
  o: { env: NodeJS.ProcessEnv; logFile: string; signal: AbortSignal; release: Release },
): Promise<void> {
  if (people.length === 0) return;
  const cli = join(o.release.root, 'services/auth/src/cli/main.ts');
  const child = spawn(o.release.node, [cli, 'user', 'import'], { env: o.env, stdio: ['pipe', 'pipe', 'pipe'] });
  let output = '';
  let ended = '';
  const end = (reason: string): void => {
    ended = reason;
    child.kill('SIGKILL');
  };
  const timer = setTimeout(() => end(`it took longer than ${timeoutMs / 1000} s`), timeoutMs);
  const onAbort = (): void => end('the start was interrupted');
  o.signal.addEventListener('abort', onAbort, { once: true });
  if (o.signal.aborted) onAbort();
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  // a child that ended early gives the reason in its output
  child.stdin.on('error', () => undefined);
  child.stdin.end(people.map((person) => JSON.stringify(person)).join('\n'));
  const death = await new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal }));
  }).finally(() => {
    clearTimeout(timer);
    o.signal.removeEventListener('abort', onAbort);
  });
  appendFileSync(o.logFile, output);
  if (death.code === 0) return;
  const why = [ended, output.trim()].filter((text) => text !== '').join('; ') || `it ended ${describeExit(death)}`;
  throw new StartError(`The demo users could not be added: ${why}`);
}

const knownWithinMs = 60_000;

/**
 * Resolves when Tasks has received the users, which takes it a moment after they were added: then a task can be assigned to each of them. A user who
 * existed with another password cannot log in here, and a release before 0.4.0 has no feed of users; the start does not wait for these.
 * @throws StartError after 60 s.
 */
export async function untilTasksKnows(
  people: readonly Person[],
  urls: { auth: string; tasks: string },
  signal: AbortSignal,
): Promise<void> {
  const [first] = people;
  if (first === undefined) return;
  const request = async (url: string, init: RequestInit = {}): Promise<Response> =>
    await fetch(url, { ...init, signal: AbortSignal.any([signal, AbortSignal.timeout(10_000)]) });
  const login = await request(`${urls.auth}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: first.email, password: first.password }),
  });
  if (!login.ok) return;
  const { access_token: token } = (await login.json()) as { access_token: string };
  const missing = new Set(people.map(({ name }) => name));
  const deadline = performance.now() + knownWithinMs;
  for (let next = ''; missing.size > 0;) {
    // Tasks may be restarting
    const page = await request(`${urls.tasks}/api/v1/sync/people?limit=500${next}`, {
      headers: { authorization: `Bearer ${token}` },
    }).catch(() => undefined);
    if (page?.status === 404) return;
    if (page?.ok === true) {
      const { data, next_token } = (await page.json()) as { data: { name?: string }[]; next_token: string };
      for (const { name } of data) if (name !== undefined) missing.delete(name);
      next = `&token=${encodeURIComponent(next_token)}`;
    }
    if (missing.size > 0 && performance.now() > deadline)
      throw new StartError(`Tasks did not receive the demo users within ${knownWithinMs / 1000} s.`);
    if (missing.size > 0) await delay(50, undefined, { signal });
  }
}
