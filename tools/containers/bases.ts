import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { installSystemPackages } from '../../infra/local/system-packages.mjs';
import { folder, lastOf, root, run, type Engine } from './engine.ts';
import { Skipped } from './requirements.ts';

const standIns = fileURLToPath(new URL('stand-ins', import.meta.url));

/** The base images of the Dockerfile and docker-compose.yml, each with the recipe of its stand-in. */
export type Bases = { reference: string; recipe: string; origin: 'pulled' | 'stand-in' }[];

/** Returns the exact image references in the Dockerfile and docker-compose.yml. */
export function baseReferences(dockerfile: string, compose: string): { recipe: string; reference: string }[] {
  const named = (variable: string, text: string, pattern: string) => {
    const reference = new RegExp(`${variable}${pattern}`, 'm').exec(text)?.[1];
    if (reference === undefined)
      throw new Error(`${variable} was not found: npm run containers looks in the wrong place.`);
    return reference;
  };
  return [
    { recipe: 'node', reference: named('ARG BASE_IMAGE', dockerfile, '=(\\S+)$') },
    { recipe: 'nginx', reference: named('ARG NGINX_IMAGE', dockerfile, '=(\\S+)$') },
    { recipe: 'postgres', reference: named('POSTGRES_IMAGE', compose, ':-([^}]+)}') },
    { recipe: 'rabbitmq', reference: named('RABBITMQ_IMAGE', compose, ':-([^}]+)}') },
    { recipe: 'maildev', reference: named('MAILDEV_IMAGE', compose, ':-([^}]+)}') },
  ].map(({ recipe, reference }) => ({ recipe, reference: qualified(reference) }));
}

function qualified(reference: string): string {
  return `docker.io/${reference.includes('/') ? '' : 'library/'}${reference}`;
}

/** debootstrap downloads a few hundred packages; a pull has about the same size. */
const makeTimeoutMs = 15 * 60_000;

/**
 * Pulls each base image, or builds a stand-in from Debian's packages if no registry can be reached.
 * @throws Skipped if neither is possible, or if no container can be started from the image.
 */
export async function ensureBases(engine: Engine, say: (text: string) => void): Promise<Bases> {
  const wanted = baseReferences(
    readFileSync(join(root, 'Dockerfile'), 'utf8'),
    readFileSync(join(root, 'docker-compose.yml'), 'utf8'),
  );
  const bases: Bases = [];
  for (const { recipe, reference } of wanted) bases.push(await ensureBase(engine, { recipe, reference, say }));
  const [node] = bases;
  const probe = await engine.tryPodman([
    'run',
    '--rm',
    '--network',
    'none',
    node?.reference ?? '',
    'node',
    '--version',
  ]);
  if (probe.code !== 0) throw new Skipped(`podman cannot run a container here: ${lastOf(probe)}`);
  return bases;
}

async function ensureBase(
  engine: Engine,
  { recipe, reference, say }: { recipe: string; reference: string; say: (text: string) => void },
): Promise<Bases[number]> {
  const hash = recipeHash(recipe);
  const found = await engine.tryPodman([
    'image',
    'inspect',
    '--format',
    '{{index .Labels "taskwire.recipe"}}',
    reference,
  ]);
  if (found.code === 0 && found.stdout.trim() === hash) return { reference, recipe, origin: 'stand-in' };
  // a pulled image has no recipe
  if (found.code === 0 && found.stdout.trim() === '') return { reference, recipe, origin: 'pulled' };
  const pull = await engine.tryPodman(['pull', '--quiet', reference], { timeoutMs: makeTimeoutMs });
  if (pull.code === 0) return { reference, recipe, origin: 'pulled' };
  say(`${reference} cannot be pulled; making a stand-in from Debian's packages …`);
  if (!existsSync('/usr/sbin/debootstrap')) await installSystemPackages(['debootstrap'], say);
  const made = await run(join(standIns, 'make'), [recipe, join(folder, 'trees'), reference], {
    env: { ...process.env, ...engine.env, ...recipeVariables(), TASKWIRE_RECIPE: hash },
    timeoutMs: makeTimeoutMs,
  });
  if (made.code !== 0)
    throw new Skipped(`no registry can be reached, and ${reference} could not be made: ${lastOf(made)}`);
  return { reference, recipe, origin: 'stand-in' };
}

/** Returns the package versions of the workspace, for recipes that install from npm. */
function recipeVariables(): Record<string, string> {
  const lockfile = parse(readFileSync(join(root, 'pnpm-lock.yaml'), 'utf8')) as { packages: Record<string, unknown> };
  const versionOf = (name: string) => {
    const key = Object.keys(lockfile.packages).find((one) => one.startsWith(`${name}@`));
    if (key === undefined) throw new Error(`pnpm-lock.yaml has no ${name}.`);
    return key.slice(name.length + 1);
  };
  return {
    TASKWIRE_NODE: process.execPath,
    TASKWIRE_MAILDEV: versionOf('maildev'),
    TASKWIRE_MAILPARSER: versionOf('mailparser'),
  };
}

/** Returns a hash of the recipe and its versions: when the hash changes, the stand-in is built again. */
function recipeHash(recipe: string): string {
  const hash = createHash('sha256');
  for (const file of ['make', ...globSync(`${recipe}/*`, { cwd: standIns }).sort()])
    hash.update(file).update(readFileSync(join(standIns, file)));
  const { TASKWIRE_MAILDEV, TASKWIRE_MAILPARSER } = recipeVariables();
  return hash.update(`${process.version} ${TASKWIRE_MAILDEV} ${TASKWIRE_MAILPARSER}`).digest('hex').slice(0, 16);
}
