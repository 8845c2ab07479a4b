import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describeEnd, StartError } from '@taskwire/local-servers';

export type Person = { email: string; name: string; role: 'admin' | 'manager' | 'member'; password: string };

/** Of all demo people. Not guessable, since Auth takes no other; a suite that was seeded with another one keeps that. */
export const demoPassword = 'plum-kettle-orbit';

/** Who can log in to a local suite after its first start. Never made by a service on its own. */
export const demoPeople: readonly Person[] = [
  { email: 'admin@taskwire.test', name: 'Ada Admin', role: 'admin' as const },
  { email: 'manager@taskwire.test', name: 'Mia Manager', role: 'manager' as const },
  { email: 'ann@taskwire.test', name: 'Ann', role: 'member' as const },
  { email: 'ben@taskwire.test', name: 'Ben', role: 'member' as const },
  { email: 'cas@taskwire.test', name: 'Cas', role: 'member' as const },
].map((person) => ({ ...person, password: demoPassword }));

const cli = fileURLToPath(new URL('../../services/auth/src/cli.ts', import.meta.url));

/** A person's password is hashed in some 50 ms; the rest is the start of the process, on a machine that starts everything else too. */
const timeoutMs = 60_000;

/**
 * Adds people with Auth's own command, which is how an operator adds the first admin too: one process for all of them. Who exists already stays
 * as they are.
 * @throws StartError that says why somebody could not be added.
 */
export async function addPeople(
  people: readonly Person[],
  o: { env: NodeJS.ProcessEnv; logFile: string; signal: AbortSignal },
): Promise<void> {
  if (people.length === 0) return;
  const child = spawn(process.execPath, [cli, 'user', 'import'], { env: o.env, stdio: ['pipe', 'pipe', 'pipe'] });
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
  // a child that ended early says why in its output
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
  const why = [ended, output.trim()].filter((text) => text !== '').join('; ') || `it ended ${describeEnd(death)}`;
  throw new StartError(`The demo users could not be added: ${why}`);
}
