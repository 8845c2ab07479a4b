import { existsSync, globSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { folder, lastOf, run, type Engine } from './engine.ts';
import { Skipped } from './requirements.ts';

/** The first version that understands `!reset`. */
const oldest = { major: 2, minor: 24 };
/**
 * podman 4.3 offers version 1.41 of Docker's API, which the Docker Compose of this Debian release supports. Debian 12 itself has no such package, and
 * its podman-compose is too old for docker-compose.yml.
 */
const debianRelease = 'trixie';

const plugins = [
  '/usr/libexec/docker/cli-plugins/docker-compose',
  '/usr/lib/docker/cli-plugins/docker-compose',
  '/usr/local/lib/docker/cli-plugins/docker-compose',
];

/** Whether the output of `docker-compose version --short` names a supported version. */
export function isUsableVersion(text: string): boolean {
  const [, major = '0', minor = '0'] = /(\d+)\.(\d+)/.exec(text) ?? [];
  return Number(major) > oldest.major || (Number(major) === oldest.major && Number(minor) >= oldest.minor);
}

/**
 * Returns the path of Docker Compose: the one installed on this machine, or Debian's, which is unpacked once into .local/containers. @throws Skipped
 */
export async function ensureCompose(engine: Engine, say: (text: string) => void): Promise<string> {
  const own = join(folder, 'docker-compose');
  for (const file of [own, ...plugins]) {
    if (!existsSync(file)) continue;
    const { code, stdout } = await run(file, ['version', '--short'], { env: engine.env });
    if (code === 0 && isUsableVersion(stdout)) return file;
  }
  say(`unpacking Docker Compose from Debian ${debianRelease} …`);
  await unpack(engine, own);
  return own;
}

async function unpack({ env }: Engine, target: string): Promise<void> {
  const place = join(folder, 'apt');
  rmSync(place, { recursive: true, force: true });
  for (const one of ['lists/partial', 'cache/archives/partial']) mkdirSync(join(place, one), { recursive: true });
  const step = async (command: string, args: string[]) => {
    const result = await run(command, args, { env, cwd: place });
    if (result.code !== 0) {
      throw new Skipped(
        `there is no Docker Compose ${oldest.major}.${oldest.minor} or later. Install the plugin docker-compose. ${lastOf(result)}`,
      );
    }
    return result.stdout;
  };
  // the mirror from which this machine installs Debian packages
  const sites = await step('apt-get', [
    'indextargets',
    '--format',
    '$(REPO_URI)',
    'Created-By: Packages',
    'Origin: Debian',
    'Label: Debian',
  ]);
  const keys = '/usr/share/keyrings/debian-archive-keyring.gpg';
  writeFileSync(join(place, 'sources.list'), `deb [signed-by=${keys}] ${sites.split('\n')[0]} ${debianRelease} main\n`);
  const options = [
    ...['-o', `Dir::Etc::sourcelist=${place}/sources.list`, '-o', 'Dir::Etc::sourceparts=-'],
    ...['-o', `Dir::State::lists=${place}/lists`, '-o', `Dir::Cache=${place}/cache`],
  ];
  await step('apt-get', [...options, 'update', '-q']);
  await step('apt-get', [...options, 'download', '-q', 'docker-compose']);
  const [archive = ''] = globSync('docker-compose_*.deb', { cwd: place });
  await step('dpkg-deb', ['-x', archive, 'tree']);
  renameSync(join(place, 'tree/usr/libexec/docker/cli-plugins/docker-compose'), target);
  rmSync(place, { recursive: true });
}
