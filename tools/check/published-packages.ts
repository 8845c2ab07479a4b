import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { output, root, type Step } from './step.ts';

type Package = {
  /** The folder in packages/. */
  name: string;
  mostBytes: number;
  dependencies: readonly string[];
  /** Whether it may import modules of Node. */
  platform: 'any' | 'node';
};

/** A front end loads it before it shows anything; 9 KB take less than a round trip. */
const client: Package = { name: 'client', mostBytes: 9 * 1024, dependencies: [], platform: 'any' };
/** Twice its size when it was written: more means that it contains its dependency. */
const worker: Package = { name: 'worker', mostBytes: 16 * 1024, dependencies: ['@taskwire/client'], platform: 'node' };

const programs = join(root, 'packages/client');

export const publishedPackagesSteps: readonly Step[] = [client, worker].map(packageStep);

/** Builds a package as it is published, and checks what its users get; a broken copy of it must fail first. */
function packageStep(checked: Package): Step {
  let size = 0;
  return {
    name: `${checked.name} package (canary first)`,
    note: () => `${size} bytes gzipped`,
    async faults() {
      const scratch = mkdtempSync(join(root, `.local/${checked.name}-package-`));
      try {
        const folder = join(scratch, 'package');
        const failed = await output(process.execPath, [join(programs, 'scripts/build.ts'), checked.name, folder]);
        if (failed.length > 0) return failed;
        size = sizeOf(folder);
        const missed = await missedInCanary(checked, folder, join(scratch, 'canary'));
        return missed.length > 0 ? missed : await faultsOf(checked, folder);
      } finally {
        rmSync(scratch, { recursive: true });
      }
    },
  };
}

function codeOf(folder: string): string {
  return globSync('*.js', { cwd: folder })
    .map((file) => readFileSync(join(folder, file), 'utf8'))
    .join('\n');
}

function sizeOf(folder: string): number {
  return gzipSync(codeOf(folder), { level: 9 }).length;
}

async function faultsOf({ mostBytes, dependencies, platform }: Package, folder: string): Promise<string[]> {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, unknown>;
  const size = sizeOf(folder);
  const declared = Object.keys(manifest['dependencies'] ?? {});
  const isAllowed = (specifier: string) =>
    dependencies.includes(specifier) || (platform === 'node' && /^(node:|\.\/)/.test(specifier));
  const foreign = importsOf(codeOf(folder)).filter((specifier) => !isAllowed(specifier));
  return [
    ...(size > mostBytes ? [`size: the code has ${size} bytes gzipped, more than ${mostBytes}`] : []),
    ...(foreign.length > 0 ? [`imports: the code imports ${foreign.join(', ')}`] : []),
    ...(String(declared) === String(dependencies) ? [] : [`dependencies: they are ${declared.join(', ')}`]),
    ...(manifest['sideEffects'] === false
      ? []
      : ['sideEffects: must be false, so that bundlers drop what is not used']),
    ...(await publintFaults(folder)),
    ...(await attwFaults(folder)),
  ];
}

function importsOf(code: string): string[] {
  const found = code.matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\(\s*)["']([^"']+)["']/g);
  return [...found].map(([, specifier = '']) => specifier);
}

async function publintFaults(folder: string): Promise<string[]> {
  const found = await output(process.execPath, [
    join(programs, 'node_modules/publint/src/cli.js'),
    'run',
    folder,
    '--strict',
    '--pack',
    'false',
  ]);
  return found.map((text) => `publint: ${text}`);
}

async function attwFaults(folder: string): Promise<string[]> {
  const packed = await output('npm', ['pack', folder, '--pack-destination', folder, '--silent']);
  if (packed.length > 0) return packed;
  const [tarball = ''] = globSync('*.tgz', { cwd: folder });
  const program = join(programs, 'node_modules/@arethetypeswrong/cli/dist/index.js');
  const found = await output(process.execPath, [
    program,
    join(folder, tarball),
    '--profile',
    'esm-only',
    '--format',
    'ascii',
  ]);
  return found.map((text) => `attw: ${text}`);
}

/** Checks a copy with a fault of each kind: types that do not exist, an import, a dependency, and code that does not compress. */
async function missedInCanary(checked: Package, folder: string, copy: string): Promise<string[]> {
  cpSync(folder, copy, { recursive: true });
  writeFileSync(join(copy, 'index.js'), `import 'zod';\n// ${randomBytes(checked.mostBytes).toString('base64')}\n`);
  const broken = {
    ...{ name: 'canary', version: '1.0.0', type: 'module', dependencies: { zod: '*' } },
    exports: { '.': { types: './absent.d.ts', default: './absent.js' } },
  };
  writeFileSync(join(copy, 'package.json'), JSON.stringify(broken));
  const found = await faultsOf(checked, copy);
  return ['size', 'imports', 'dependencies', 'sideEffects', 'publint', 'attw']
    .filter((kind) => !found.some((fault) => fault.startsWith(`${kind}:`)))
    .map((kind) => `Canary: the check of the ${kind} did not report a fault; it reported ${JSON.stringify(found)}`);
}
