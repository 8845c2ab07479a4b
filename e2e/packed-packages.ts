import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));

type PackageName = 'client' | 'worker';

/** The tarballs of this run: each package is built once. */
const packed = new Map<PackageName, Promise<string>>();

async function pack(name: PackageName): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'taskwire-packed-'));
  const { stdout } = await run(process.execPath, [join(root, 'packages/client/scripts/pack.ts'), name, folder]);
  return stdout.trim();
}

/** An empty folder with packages installed as their users install them, without a registry. */
export async function folderWith(...names: PackageName[]): Promise<string> {
  const tarballs: string[] = [];
  for (const name of names) {
    const tarball = packed.get(name) ?? pack(name);
    packed.set(name, tarball);
    tarballs.push(await tarball);
  }
  const folder = mkdtempSync(join(tmpdir(), 'taskwire-installed-'));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', ...tarballs], { cwd: folder });
  return folder;
}

/** The first lines of JavaScript in a package's README. */
export function linesInReadme(name: PackageName): string {
  const readme = readFileSync(join(root, 'packages', name, 'README.md'), 'utf8');
  const [, lines = ''] = /```js\n([^]*?)```/.exec(readme) ?? [];
  return lines;
}

/** The text of an example. */
export function example(path: string): string {
  return readFileSync(join(root, 'examples', path), 'utf8');
}
