import { spawn } from 'node:child_process';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorText } from '@taskwire/errors';
import { namespaceOf, withImages, type Images } from './overlay-images.ts';

export type Rollout = {
  /** The folder of the overlay. */
  overlay: string;
  images: Images;
  /** A shell command that decides whether the new pods work, such as `npm run smoke -- --url https://…`. */
  verify: string | undefined;
  /** The time limit for all pods to become ready, which applies separately to the rollout and to a rollback. */
  timeoutSeconds: number;
  /** Called once the overlay is known to be valid, before anything is applied. */
  onStart: () => void;
  say: (text: string) => void;
};

/** `rolled-back`: the previous images run again, and all their pods are ready. */
export type RolloutEnd = { kind: 'rolled-out' } | { kind: 'rolled-back'; reason: string };

/**
 * Sets the images of an overlay, applies it, waits until all pods are ready and verifies them. If that fails, the previous images are applied again.
 * Until the end, the previous kustomization is kept in `kustomization.before.yaml`. Therefore a rollout that was killed can be repeated or replaced
 * by running the command again, and a rollback still leads to the images that ran before the first attempt.
 * @throws if the previous images don't become ready either, or if the overlay is invalid (then nothing was applied).
 */
export async function rollOut(o: Rollout): Promise<RolloutEnd> {
  const file = join(o.overlay, 'kustomization.yaml');
  const backup = join(o.overlay, 'kustomization.before.yaml');
  const wasInterrupted = existsSync(backup);
  if (wasInterrupted)
    o.say(`${backup} exists: a rollout was interrupted. The images from before it are kept for a rollback.`);
  const before = readFileSync(wasInterrupted ? backup : file, 'utf8');
  const after = withImages(before, o.images);
  const namespace = namespaceOf(before);
  o.onStart();
  if (!wasInterrupted) replace(backup, before);

  const failure = await applied(after).then(verified, errorText);
  if (failure === undefined) {
    rmSync(backup);
    return { kind: 'rolled-out' };
  }
  o.say(`The rollout failed: ${failure}`);
  o.say('The previous images are applied again.');
  await applied(before);
  rmSync(backup);
  return { kind: 'rolled-back', reason: failure };

  async function applied(kustomization: string): Promise<void> {
    replace(file, kustomization);
    await run('kubectl', ['apply', '-k', o.overlay]);
    for (const pods of [['deployment', '--selector', 'taskwire/service'], ['deployment/gateway']])
      await run('kubectl', ['-n', namespace, 'rollout', 'status', ...pods, `--timeout=${o.timeoutSeconds}s`]);
  }

  async function verified(): Promise<string | undefined> {
    return o.verify === undefined ? undefined : await run('sh', ['-c', o.verify]).then(() => undefined, errorText);
  }
}

// if the process is killed, either the complete old file or the complete new one exists
function replace(file: string, content: string): void {
  writeFileSync(`${file}.new`, content);
  renameSync(`${file}.new`, file);
}

async function run(program: string, args: string[]): Promise<void> {
  const child = spawn(program, args, { stdio: 'inherit' });
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject).once('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`${program} ${args.join(' ')} ended with ${signal ?? code}`));
    });
  });
}
