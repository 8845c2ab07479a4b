// build.ts [client | worker [<folder>]]: builds a published package, a folder with compiled code, types, README and a package.json of its own; by default
// packages/<package>/dist
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type UserConfig } from 'tsdown';

const forms: Readonly<Record<string, UserConfig>> = {
  // fully supported by Node 20 and by browsers since 2022
  client: { entry: 'src/index.ts', platform: 'neutral', target: 'es2022', minify: true },
  // the thread needs a separate file, and stack traces in a service's logs should be readable
  worker: { entry: ['src/index.ts', 'src/heartbeat-thread.ts'], platform: 'node', target: 'node20', minify: false },
};

const [chosen = 'client', given] = process.argv.slice(2);
const form = forms[chosen];
if (form === undefined) throw new Error(`${chosen} is none of ${Object.keys(forms).join(', ')}`);
const here = fileURLToPath(new URL(`../../${chosen}`, import.meta.url));
const folder = given ?? join(here, 'dist');

await rm(folder, { recursive: true, force: true });
await build({
  ...form,
  cwd: here,
  config: false,
  outDir: folder,
  format: 'esm',
  dts: true,
  hash: false,
  logLevel: 'warn',
  // on a busy machine, a user who packs the package would get a warning about the times of the build
  checks: { bundlerTimings: false },
  fixedExtension: false,
});

const { name, version, description, license, sideEffects, dependencies } = JSON.parse(
  await readFile(join(here, 'package.json'), 'utf8'),
) as Record<string, unknown> & { version: string; dependencies?: Record<string, string> };
// packages of one release belong together
const others = Object.keys(dependencies ?? {}).map((other) => [other, `^${version}`] as const);
const published = {
  ...{ name, version, description, license, type: 'module', sideEffects },
  engines: { node: '>=20' },
  exports: { '.': { types: './index.d.ts', default: './index.js' }, './package.json': './package.json' },
  ...(others.length === 0 ? {} : { dependencies: Object.fromEntries(others) }),
};
await writeFile(join(folder, 'package.json'), `${JSON.stringify(published, null, 2)}\n`);
for (const file of ['README.md', '../../LICENSE'])
  await copyFile(join(here, file), join(folder, file.replace(/^.*\//, '')));
