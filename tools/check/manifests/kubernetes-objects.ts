import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import ts from 'typescript';

/** An object in a manifest. */
export type KubernetesObject = {
  apiVersion: string;
  kind: string;
  metadata: { name: string } & Record<string, unknown>;
} & Record<string, unknown>;

type Model = new (data: object) => { validate(): void };

const modelsFolder = dirname(createRequire(import.meta.url).resolve('kubernetes-models/package.json'));

/**
 * The faults for which the Kubernetes API would reject these objects: values of a wrong type or form (JSON Schemas of the API, from
 * kubernetes-models), and unknown fields, which a cluster silently drops (checked by the compiler against the same API as TypeScript types, since the
 * schemas do not forbid them).
 */
export async function faultsOfObjects(objects: readonly KubernetesObject[]): Promise<string[]> {
  const wrong = await Promise.all(objects.map(faultsBySchema));
  return [...wrong.flat(), ...faultsByType(objects)];
}

async function faultsBySchema(object: KubernetesObject): Promise<string[]> {
  const module = `kubernetes-models/${object.apiVersion}/${object.kind}`;
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

/** Writes the objects as TypeScript, one statement each, and lets the compiler compare them with the types of their kinds. */
function faultsByType(objects: readonly KubernetesObject[]): string[] {
  const file = join(modelsFolder, '..', 'objects-under-check.ts');
  const statements = objects.map((object) => {
    const type = `import('./kubernetes-models/${object.apiVersion}/${object.kind}').I${object.kind}`;
    return `export const o: ${type} = ${JSON.stringify(object)};`;
  });
  // a separate module for each, since all of them declare the same name
  const files = new Map(statements.map((text, index) => [file.replace('.ts', `-${index}.ts`), text]));
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    lib: ['lib.es2022.d.ts'],
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => files.has(name) || fileExists(name);
  host.getSourceFile = (name, ...rest) => {
    const text = files.get(name);
    return text === undefined ? getSourceFile(name, ...rest) : ts.createSourceFile(name, text, ts.ScriptTarget.ES2022);
  };
  const program = ts.createProgram([...files.keys()], options, host);
  return [...files.keys()].flatMap((name, index) => {
    const source = program.getSourceFile(name);
    const object = objects[index] as KubernetesObject;
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
      ({ messageText }) => `${nameOf(object)}: ${ts.flattenDiagnosticMessageText(messageText, ' ').slice(0, 500)}`,
    );
  });
}

export function nameOf({ kind, metadata }: KubernetesObject): string {
  return `${kind} ${metadata.name}`;
}
