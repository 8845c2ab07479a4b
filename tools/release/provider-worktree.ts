import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Version } from './deployment-checks.ts';
import { git } from './records.ts';

/** The result of a provider's test for one pact. */
export type Verdict = { ok: boolean; output: string };

/** A checked-out version of a provider, in which pacts can be verified. */
export type ProviderWorktree = { verify(consumer: string, pact: string): Promise<Verdict>; remove(): void };

/** Checks a version out into a separate worktree. The first test there installs the dependencies. */
export function providerWorktree(root: string, { service, commit }: Version): ProviderWorktree {
  const parent = mkdtempSync(join(tmpdir(), 'taskwire-provider-'));
  const dir = join(parent, 'worktree');
  git(root, 'worktree', 'add', '--detach', dir, commit);
  return {
    async verify(consumer, pact) {
      const pacts = join(dir, 'contracts/pacts');
      rmSync(pacts, { recursive: true, force: true });
      mkdirSync(pacts, { recursive: true });
      writeFileSync(join(pacts, `${consumer}-${service}.json`), pact);
      return await run(dir, [
        'infra/local/bootstrap.mjs',
        'tools/test/run.ts',
        `services/${service}/test/provider.pact`,
      ]);
    },
    remove() {
      git(root, 'worktree', 'remove', '--force', dir);
      rmSync(parent, { recursive: true, force: true });
    },
  };
}

/** Environment variables of this run that would make the other version use this version's files, or the broker's pacts instead of the given one. */
const ownVariables = /^(TASKWIRE_|PACT_BROKER_|NODE_COMPILE_CACHE$|npm_)/;

async function run(cwd: string, args: string[]): Promise<Verdict> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !ownVariables.test(name)));
  const child = spawn(process.execPath, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const code = await new Promise<number | null>((resolve, reject) =>
    child.once('error', reject).once('close', resolve),
  );
  return { ok: code === 0, output };
}
