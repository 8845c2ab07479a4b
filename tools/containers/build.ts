import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { folder, lastOf, root, run, type Engine } from './engine.ts';

/** The images of the Dockerfile, with the build arguments that docker-compose.yml passes. */
export const images = [
  { name: 'auth', args: ['--build-arg', 'SERVICE=auth'] },
  { name: 'tasks', args: ['--build-arg', 'SERVICE=tasks'] },
  { name: 'notifications', args: ['--build-arg', 'SERVICE=notifications'] },
  { name: 'gateway', args: ['--target', 'gateway'] },
  { name: 'observer', args: ['--target', 'observer'] },
] as const;

export type ImageName = (typeof images)[number]['name'];

export const referenceOf = (name: ImageName) => `localhost/taskwire/${name}:local`;

/** The path at which the build sees this machine's certificates. The file must not be left in an image. */
export const certificatesInBuild = '/etc/taskwire-build-certificates.pem';

/** Building an image takes about a minute, or several on a busy machine; most of that time is for downloads. */
const buildTimeoutMs = 20 * 60_000;

/** Returns the settings with which npm and pnpm reach their registry from inside the build. */
export function npmSettings(o: { registry: string; hasCertificates: boolean; own: string }): string {
  const logins = o.own.split('\n').filter((line) => line.startsWith('//'));
  return [
    `registry=${o.registry}`,
    ...(o.hasCertificates ? [`cafile=${certificatesInBuild}`] : []),
    ...logins,
    '',
  ].join('\n');
}

/** Builds the images. @throws an error with the end of the log if a build fails. */
export async function buildImages(engine: Engine, say: (text: string) => void): Promise<void> {
  const mounts = await registryMounts(engine.env);
  for (const { name, args } of images) {
    const began = performance.now();
    const built = await engine.tryPodman(
      [
        // without separate namespaces, which require rights that a CI container may not have
        ...['build', '--isolation', 'chroot', '--network', 'host', '--format', 'docker'],
        ...[...mounts, ...args, '--tag', referenceOf(name), '.'],
      ],
      { cwd: root, timeoutMs: buildTimeoutMs },
    );
    writeFileSync(join(folder, `build-${name}.log`), `${built.stdout}\n${built.stderr}`);
    if (built.code !== 0) throw new Error(`The image of ${name} could not be built: ${lastOf(built)}`);
    say(`taskwire/${name} built in ${((performance.now() - began) / 1000).toFixed(0)} s`);
  }
}

async function registryMounts(env: NodeJS.ProcessEnv): Promise<string[]> {
  const setting = async (name: string) => {
    const { code, stdout } = await run('npm', ['config', 'get', name], { env });
    const value = stdout.trim();
    return code === 0 && value !== 'null' && value !== 'undefined' ? value : '';
  };
  const own = join(homedir(), '.npmrc');
  const certificates = (await setting('cafile')) || process.env['NODE_EXTRA_CA_CERTS'] || '';
  const file = join(folder, 'build/npmrc');
  mkdirSync(join(folder, 'build'), { recursive: true, mode: 0o700 });
  const text = npmSettings({
    registry: await setting('registry'),
    hasCertificates: certificates !== '',
    own: existsSync(own) ? readFileSync(own, 'utf8') : '',
  });
  writeFileSync(file, text, { mode: 0o600 });
  return [
    ...['--volume', `${file}:/root/.npmrc:ro`],
    ...(certificates === '' ? [] : ['--volume', `${certificates}:${certificatesInBuild}:ro`]),
  ];
}
