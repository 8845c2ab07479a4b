// npm run client:pack [-- <folder>], npm run worker:pack [-- <folder>]: builds a published package and packs it as a tarball for `npm install`; by
// default in .local
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const [chosen = 'client', given = join(root, '.local')] = process.argv.slice(2);
const folder = resolve(given);
const built = join(root, 'packages', chosen, 'dist');

mkdirSync(folder, { recursive: true });
const build = join(root, 'packages/client/scripts/build.ts');
execFileSync(process.execPath, ['--no-warnings', build, chosen, built], { stdio: ['ignore', 'ignore', 'inherit'] });
const printed = execFileSync('npm', ['pack', built, '--pack-destination', folder, '--json'], { encoding: 'utf8' });
const [packed] = JSON.parse(printed) as { filename: string }[];
console.log(join(folder, packed?.filename ?? ''));
