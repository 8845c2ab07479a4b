import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export type Json = { [key: string]: unknown };

type Response = { content?: Record<string, { examples?: object }> };
type Operation = { operationId: string; responses: Record<string, Response | { $ref: string }> };

/** Merges the OpenAPI documents of a folder into one. Problems are left out, because the client types them by their codes. */
export type MergedDocument = { document: Json; problemCodes: ReadonlyMap<string, readonly string[]> };

const files = ['auth', 'auth.internal', 'tasks', 'tasks.internal', 'notifications'];

/** @throws if two documents define schemas of the same name differently. */
export function mergedDocument(folder: string, isWanted: (operationId: string) => boolean): MergedDocument {
  const paths: Record<string, Json> = {};
  const components: Record<string, Record<string, unknown>> = {};
  const problemCodes = new Map<string, string[]>();
  for (const file of files) {
    const document = JSON.parse(readFileSync(join(folder, `${file}.json`), 'utf8')) as {
      paths: Record<string, Record<string, Operation>>;
      components: Record<string, Record<string, unknown>>;
    };
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        if (!isWanted(operation.operationId)) continue;
        problemCodes.set(operation.operationId, codesOf(operation, document.components['responses'] ?? {}));
        (paths[path] ??= {})[method] = { ...operation, responses: successesOf(operation) };
      }
    }
    for (const kind of ['schemas', 'headers'] as const) {
      const known = (components[kind] ??= {});
      for (const [name, schema] of Object.entries(document.components[kind] ?? {})) {
        if (name in known && JSON.stringify(known[name]) !== JSON.stringify(schema)) {
          throw new Error(`${file}.json defines ${name} differently from an earlier document`);
        }
        known[name] = schema;
      }
    }
  }
  return { document: { openapi: '3.1.1', info: { title: 'Taskwire', version: '1' }, paths, components }, problemCodes };
}

function successesOf({ responses }: Operation): Json {
  return Object.fromEntries(Object.entries(responses).filter(([status]) => status.startsWith('2')));
}

function codesOf({ responses }: Operation, shared: Record<string, unknown>): string[] {
  return Object.values(responses).flatMap((response) => {
    const { content } = ('$ref' in response ? shared[nameIn(response.$ref)] : response) as Response;
    return Object.keys(content?.['application/problem+json']?.examples ?? {});
  });
}

function nameIn(reference: string): string {
  return decodeURIComponent(reference.slice(reference.lastIndexOf('/') + 1));
}
