import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { StartError } from '@taskwire/local-servers';

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

/** Adds people with Auth's own command, which is how an operator adds the first admin too. Who exists already stays as they are. */
export async function addPeople(
  people: readonly Person[],
  o: { env: NodeJS.ProcessEnv; logFile: string; signal: AbortSignal },
): Promise<void> {
  await Promise.all(people.map((person) => addPerson(person, o)));
}

function addPerson(
  { email, name, role, password }: Person,
  o: { env: NodeJS.ProcessEnv; logFile: string; signal: AbortSignal },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const args = [cli, 'user', 'add', '--email', email, '--name', name, '--role', role];
    const child = spawn(process.execPath, args, {
      env: o.env,
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: 30_000,
      signal: o.signal,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stdin.on('error', () => undefined);
    child.stdin.end(password);
    child.once('error', reject);
    child.once('close', (code) => {
      appendFileSync(o.logFile, output);
      if (code === 0) resolve();
      else reject(new StartError(`${email} could not be added: ${output.trim()}`));
    });
  });
}
