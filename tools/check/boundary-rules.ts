/** One import in a file. */
export type Import = { specifier: string; typeOnly: boolean; line: number };

/** The parts of a file that the rules look at. `path` is relative to the repository, with slashes. */
export type SourceFile = { path: string; imports: Import[]; environmentReads: number[] };

export type Violation = { path: string; line: number; rule: string; message: string };

/**
 * The packages from the bottom up: each may import those before it. ARCHITECTURE.md shows the same order. A package that is missing here may not be
 * imported, so a new one must be added first.
 */
export const packageOrder = [
  'text',
  'errors',
  'env',
  'telemetry',
  'lifecycle',
  'postgres',
  'partitions',
  'contracts',
  'http-server',
  'http-client',
  'rabbit',
  'outbox',
  'inbox',
  'dead-letters',
  'user-directory',
  'service',
  'client',
  'worker',
  'process-supervisor',
  'testing',
  'pact-testing',
];

/** Packages that run only on a developer's machine. */
const testOnly =
  /^(@taskwire\/(testing|pact-testing|process-supervisor)|mocha|chai|fast-check|@pact-foundation\/pact)(\/|$)/;
const testingPackages = ['testing', 'pact-testing', 'process-supervisor'];

/** Packages that an app layer may use at run time besides itself, its domain and node: — rules, shapes and pace, but no I/O. */
const appValues = ['@taskwire/contracts', '@taskwire/errors', '@taskwire/lifecycle', '@taskwire/text', 'zod'];

/** Names that say nothing about their contents, so that anything ends up there. */
const namelessNames = /^(utils?|helpers?|common|shared|misc)$/;

/** Entry points of a service; they and env.ts may access process.env. */
const entryFiles = ['main.ts', 'migrate.ts', 'cli/main.ts'];

/** The location of a file in the repository. */
type Place = {
  kind: 'package' | 'service' | 'infra' | 'tool' | 'e2e' | 'other';
  unit: string;
  root: string;
  inside: string;
};

/** All violations by the imports, environment reads and name of one file. */
export function violationsOf(file: SourceFile): Violation[] {
  const place = placeOf(file.path);
  return [
    ...file.imports.flatMap((entry) => {
      const broken = brokenRule(place, file.path, entry);
      return broken === undefined ? [] : [{ path: file.path, line: entry.line, ...broken }];
    }),
    ...(mayReadEnvironment(place)
      ? []
      : file.environmentReads.map((line) => ({
          path: file.path,
          line,
          rule: 'environment',
          message: 'reads process.env; take the value from env.ts as a parameter',
        }))),
    ...file.path
      .replace(/\.[cm]?[jt]s$/, '')
      .split('/')
      .filter((part) => namelessNames.test(part))
      .map((part) => ({
        path: file.path,
        line: 1,
        rule: 'names',
        message: `"${part}" names nothing; name what is inside`,
      })),
  ];
}

export function placeOf(path: string): Place {
  const [top = '', unit = '', ...rest] = path.split('/');
  if (top === 'packages') return { kind: 'package', unit, root: `packages/${unit}`, inside: rest.join('/') };
  if (top === 'services') return { kind: 'service', unit, root: `services/${unit}`, inside: rest.join('/') };
  if (top === 'tools') return { kind: 'tool', unit, root: `tools/${unit}`, inside: rest.join('/') };
  if (top === 'infra' || top === 'e2e') return { kind: top, unit: top, root: top, inside: [unit, ...rest].join('/') };
  return { kind: 'other', unit: '', root: '', inside: path };
}

type Broken = { rule: string; message: string } | undefined;

function brokenRule(from: Place, path: string, entry: Import): Broken {
  const { specifier } = entry;
  return specifier.startsWith('.') ? ownFileRule(from, path, specifier) : packageRule(from, entry);
}

function packageRule(from: Place, entry: Import): Broken {
  const { specifier } = entry;
  const isProduct = from.kind === 'package' || from.kind === 'service';
  const inTest = isProduct && !from.inside.startsWith('src/');
  if (testOnly.test(specifier) && isProduct && !inTest && !testingPackages.includes(from.unit)) {
    return { rule: 'test-only', message: `${specifier} is for tests` };
  }
  const name = /^@taskwire\/([^/]+)(\/.*)?$/.exec(specifier);
  // the operators' commands include Auth's, through the entry that its package declares
  if (specifier === '@taskwire/service-auth/cli' && from.root === 'tools/cli') return undefined;
  if (name?.[2] !== undefined) return { rule: 'package-door', message: `${specifier} bypasses the package's index.ts` };
  const target = name?.[1] ?? '';
  if (target.startsWith('tool-'))
    return { rule: 'tools-apart', message: `nothing imports a tool, such as ${specifier}` };
  if (target.startsWith('service-') || target === 'infra' || target === 'e2e') {
    return { rule: 'service-apart', message: `nothing may import ${specifier}` };
  }
  if (name && from.kind === 'package' && !(inTest && (target === from.unit || testOnly.test(specifier)))) {
    const above = packageOrder.indexOf(target);
    if (above === -1 || above >= packageOrder.indexOf(from.unit)) {
      return {
        rule: 'package-order',
        message: `@taskwire/${from.unit} may import only what comes before it, not ${specifier}`,
      };
    }
  }
  return from.kind === 'service' ? layerPackageRule(from, entry) : undefined;
}

function layerPackageRule(from: Place, { specifier, typeOnly }: Import): Broken {
  const layer = layerOf(from.inside);
  if (layer === 'domain' && specifier !== '@taskwire/errors') {
    return { rule: 'domain', message: `domain imports nothing but itself and @taskwire/errors, not ${specifier}` };
  }
  const allowed = specifier.startsWith('node:') || appValues.includes(specifier);
  // a type of a package is a port: it creates no run-time dependency
  if (layer === 'app' && !allowed && !(typeOnly && specifier.startsWith('@taskwire/'))) {
    return { rule: 'app', message: `app imports domain, ports and contracts, not ${specifier}` };
  }
  return undefined;
}

function ownFileRule(from: Place, path: string, specifier: string): Broken {
  const target = resolveRelative(path, specifier);
  const to = placeOf(target);
  if (to.kind === 'tool' && to.root !== from.root) {
    return { rule: 'tools-apart', message: `nothing imports a tool, such as ${specifier}` };
  }
  // tools and end-to-end tests start the suite as the launcher does; a ceiling is measured with the actual statement of the service; end-to-end tests
  // run the operators' commands in their own process, which is faster
  const across =
    (to.kind === 'infra' && (from.kind === 'e2e' || from.kind === 'tool')) ||
    (to.kind === 'service' && from.root === 'tools/bench') ||
    (target === 'services/auth/src/cli/run-command.ts' && from.kind === 'e2e');
  if (to.root !== from.root && !across) {
    const rule = to.kind === 'service' ? 'service-apart' : 'package-door';
    return {
      rule,
      message: `${specifier} leaves ${from.root || 'the root'}; import packages by name, services not at all`,
    };
  }
  if (from.inside.startsWith('src/') && !to.inside.startsWith('src/') && !to.inside.endsWith('.json')) {
    return { rule: 'test-only', message: `${specifier} is outside of src` };
  }
  return from.kind === 'service' && from.inside.startsWith('src/') ? layerRule(from, to, specifier) : undefined;
}

function layerRule(from: Place, to: Place, specifier: string): Broken {
  const [layer, target] = [layerOf(from.inside), layerOf(to.inside)];
  if (layer === target || layer === 'wire') return undefined;
  const may: Record<string, string[]> = {
    domain: [],
    app: ['domain'],
    env: [],
    root: ['wire', 'env'],
    cli: ['wire', 'env', 'app', 'domain'],
  };
  if ((may[layer] ?? ['app', 'domain']).includes(target)) return undefined;
  const rule = layer in may ? layer : 'adapters';
  return { rule, message: `${layer} may not import ${target} (${specifier}); only wire.ts sees everything` };
}

/**
 * The layer of a file: domain, app, cli, or the folder of an adapter; `wire` for wire.ts and its folder; `env` or `root` for other files directly
 * under src. The command line has its own composition root.
 */
function layerOf(inside: string): string {
  const [, first = '', second] = inside.split('/');
  if (first === 'cli' && second === 'wire.ts') return 'wire';
  if (second !== undefined) return first;
  if (first === 'wire.ts') return 'wire';
  return first === 'env.ts' ? 'env' : 'root';
}

function mayReadEnvironment({ kind, unit, inside }: Place): boolean {
  if (kind !== 'package' && kind !== 'service') return true;
  if (!inside.startsWith('src/') || testingPackages.includes(unit)) return true;
  return kind === 'service' && [...entryFiles, 'env.ts'].includes(inside.slice('src/'.length));
}

/** The repository path to which a relative import resolves. */
export function resolveRelative(path: string, specifier: string): string {
  return new URL(specifier, `file:///${path}`).pathname.slice(1);
}
