import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
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
