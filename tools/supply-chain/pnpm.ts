import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pinnedPnpm } from '../../infra/local/pinned-pnpm.mjs';

/** The path of the repository. */
export const root = fileURLToPath(new URL('../../', import.meta.url));

/** The packages in the images; packages that are needed only for tests and checks are not among their dependencies. */
const shipped = [
  '@taskwire/service-auth',
  '@taskwire/service-tasks',
  '@taskwire/service-notifications',
  '@taskwire/observer',
];

/** Runs the pnpm of package.json. */
export async function pnpm(args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const [command = '', ...first] = await pinnedPnpm(join(root, '.local/pnpm'));
  return await new Promise((resolve) => {
    const options = { cwd: root, maxBuffer: 64 * 1024 * 1024, env: { ...process.env, NO_COLOR: '1' } };
    execFile(command, [...first, ...args], options, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr }),
    );
  });
}

/** Returns the run-time dependencies of the services, as CycloneDX. @throws an error with pnpm's output. */
export async function materials(): Promise<string> {
  const { code, stdout, stderr } = await pnpm([
    ...['sbom', '--sbom-format', 'cyclonedx', '--sbom-spec-version', '1.6', '--sbom-type', 'application', '--prod'],
    ...shipped.flatMap((name) => ['--filter', name]),
  ]);
  if (code !== 0) throw new Error(`pnpm sbom failed: ${stderr}${stdout}`);
  return stdout;
}
