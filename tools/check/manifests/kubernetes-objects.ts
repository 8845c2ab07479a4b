import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { output, programOf } from '../step.ts';
import { customValidator } from './custom-resources.ts';

/** An object in a manifest. */
export type KubernetesObject = {
  apiVersion: string;
  kind: string;
  metadata: { name: string } & Record<string, unknown>;
} & Record<string, unknown>;

type Model = new (data: object) => { validate(): void };

/** The npm package that has the models of a group of the API. */
const packages: Record<string, string> = {
  'gateway.networking.k8s.io': '@kubernetes-models/gateway-api',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
  'postgresql.cnpg.io': '@kubernetes-models/cloudnative-pg',
};
const modelsOf = ({ apiVersion }: KubernetesObject) =>
  packages[apiVersion.split('/', 1)[0] ?? ''] ?? 'kubernetes-models';
const folderOf = (name: string) => dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));

/**
 * The faults for which the Kubernetes API would reject these objects: values of a wrong type or form (JSON Schemas of the API, from
 * kubernetes-models), and unknown fields, which a cluster silently drops (checked by the compiler against the same API as TypeScript types, since the
 * schemas do not forbid them).
 */
export async function faultsOfObjects(objects: readonly KubernetesObject[]): Promise<string[]> {
  const wrong = await Promise.all(objects.map(faultsBySchema));
  return [...wrong.flat(), ...(await faultsByType(objects.filter((object) => customValidator(object) === undefined)))];
}

async function faultsBySchema(object: KubernetesObject): Promise<string[]> {
  const validate = customValidator(object);
  if (validate !== undefined) {
    if (validate(object)) return [];
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) => `${nameOf(object)}: ${instancePath} ${message} ${JSON.stringify(params)}`,
    );
  }
  const module = `${modelsOf(object)}/${object.apiVersion}/${object.kind}`;
  const found = (await import(module).catch(() => ({}))) as Record<string, Model>;
  const KindModel = found[object.kind];
  if (KindModel === undefined) return [`${nameOf(object)}: Kubernetes has no ${object.kind} of ${object.apiVersion}`];
  try {
    new KindModel(object).validate();
    return [];
  } catch (error) {
    return [`${nameOf(object)}: ${(error as Error).message}`];
  }
}

/** Writes the objects as TypeScript modules, one each, and lets the compiler compare them with the types of their kinds. */
async function faultsByType(objects: readonly KubernetesObject[]): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'kubernetes-objects-'));
  try {
    const files = objects.map((_, index) => `object-${index}.ts`);
    await Promise.all(
      objects.map(async (object, index) => {
        const type = `import('${folderOf(modelsOf(object))}/${object.apiVersion}/${object.kind}').I${object.kind}`;
        await writeFile(join(folder, `object-${index}.ts`), `export const o: ${type} = ${JSON.stringify(object)};\n`);
      }),
    );
    const compilerOptions = {
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      types: [],
      lib: ['es2022'],
      target: 'es2022',
    };
    const modules = { module: 'esnext', moduleResolution: 'bundler' };
    await writeFile(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: { ...compilerOptions, ...modules }, files }),
    );
    const lines = await output(process.execPath, [
      programOf('typescript'),
      '--checkers',
      '1',
      '--pretty',
      'false',
      '-p',
      folder,
    ]);
    return lines
      .flatMap((text) => text.split('\n'))
      .flatMap((line) => {
        const [, index, message] = /object-(\d+)\.ts\(.*?\): error \w+: (.*)/.exec(line) ?? [];
        const object = objects[Number(index)];
        // the lines that explain an error are indented
        if (object === undefined) return /^\s/.test(line) ? [] : [line];
        return [`${nameOf(object)}: ${message?.slice(0, 500)}`];
      });
  } finally {
    await rm(folder, { recursive: true });
  }
}

export function nameOf({ kind, metadata }: KubernetesObject): string {
  return `${kind} ${metadata.name}`;
}
